"""Ways of getting a video's bytes over a warm connection, beside each other, without decoding anything.

python -m touchline_lab.benchmarks.transfer --links r40,r200 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from touchline_lab.benchmarks.clips import FRONT, prepare
from touchline_lab.benchmarks.linklab.lab import Lab
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.benchmarks.raw_h2 import RawH2

HEAD_BYTES = 100_000
"""About an index and a first key frame."""
METHODS = {"raw": -1, "one connection": 0, "10 lines": 10, "24 lines": 24}


def run_methods(url: str, ca_file: str, idle_s: float, rounds: int) -> dict[str, list[list[float]]]:
    """Seconds to the first byte, to `HEAD_BYTES`, to half and to all of the body, for each way and round."""
    methods: dict[str, Callable[[], list[float]]] = {}
    for name, lines in METHODS.items():
        methods[name] = _raw(url, ca_file, idle_s) if lines < 0 else _ours(url, ca_file, idle_s, lines)
    found: dict[str, list[list[float]]] = {name: [] for name in methods}
    for turn in range(rounds + 1):
        for name, method in methods.items():
            seconds = method()
            if turn:
                found[name].append(seconds)
    return found


def _raw(url: str, ca_file: str, idle_s: float) -> Callable[[], list[float]]:
    def run() -> list[float]:
        with RawH2(url, ca_file) as connection:
            connection.fetch("HEAD")
            time.sleep(idle_s)
            first, total, _ = connection.fetch("GET")
        return [first, float("nan"), float("nan"), total]

    return run


def _ours(url: str, ca_file: str, idle_s: float, lines: int) -> Callable[[], list[float]]:
    from services.cancellation import CancelScope
    from services.deadline import Deadline
    from services.download.download import Download
    from services.download.pool import ConnectionPool
    from services.settings import load_settings
    from services.timeline import Timeline

    settings = load_settings(
        ca_file=ca_file, allow_private_addresses=True, connect_timeout_s=15, range_connections=lines
    )
    pool = ConnectionPool(settings)

    def run() -> list[float]:
        for _ in range(2):
            pool.warmup(url)
        time.sleep(idle_s)
        scope = CancelScope()
        begin = time.perf_counter()
        download = Download(pool, url, settings, Deadline.after(60), scope, Timeline())
        stream = download.start()
        seconds = []
        stream.read_at(0, 1)
        for wanted in (1, HEAD_BYTES, (stream.size or 0) // 2, stream.size or 0):
            stream.read_at(0, wanted)
            seconds.append(time.perf_counter() - begin)
        scope.cancel()
        download.join(5)
        return seconds

    return run


def main() -> None:
    """Run in a lab; prints medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", default="r40,r200,r600")
    parser.add_argument("--congestion", default="cubic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        url, ca_file, idle_s = options.inside
        print(json.dumps(run_methods(url, ca_file, float(idle_s), options.rounds)))
        return
    with tempfile.TemporaryDirectory(prefix="touchline-transfer-") as folder:
        prepare(Path(folder), short=False)
        with Lab(Path(folder)) as lab:
            for congestion in options.congestion.split(","):
                lab.set_congestion_control(congestion)
                for link in options.links.split(","):
                    lab.set_link(LINKS[link])
                    _print(f"{link}/{congestion}", _measure(lab, link, options.rounds))


def _measure(lab: Lab, link: str, rounds: int) -> dict[str, list[list[float]]]:
    idle_s = max(1.0, 4 * LINKS[link].rtt_ms / 1000)
    words = ["--rounds", str(rounds), "--inside", lab.url(FRONT), str(lab.ca_file), str(idle_s)]
    command = lab.inside([sys.executable, "-m", "touchline_lab.benchmarks.transfer", *words])
    found: Any = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return dict(found)


def _print(condition: str, found: dict[str, list[list[float]]]) -> None:
    print(f"{condition}, s      first byte  {HEAD_BYTES // 1000} KB   half    all")
    for name, rounds in found.items():
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        print(f"  {name:26}" + "  ".join(f"{value:6.3f}" for value in medians))


if __name__ == "__main__":
    main()
