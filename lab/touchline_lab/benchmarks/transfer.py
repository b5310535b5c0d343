"""Compares methods of downloading a video over warm connections, without decoding anything.

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
from touchline_lab.benchmarks.linklab.lab import Lab, require
from touchline_lab.benchmarks.linklab.links import LINKS
from touchline_lab.benchmarks.raw_h2 import RawH2

HEAD_BYTES = 100_000
"""Bytes that an index and a first key frame have, about."""
RAW = -1
"""Stands for the raw HTTP/2 client where a number of range connections is expected."""
METHODS = {
    "raw HTTP/2 client": RAW,
    "pool, one connection": 0,
    "10 range connections": 10,
    "24 range connections": 24,
}
"""Number of range connections of each method."""


def run_methods(url: str, ca_file: str, idle_s: float, rounds: int) -> dict[str, list[list[float]]]:
    """Download the clip with every method, in turn.

    Args:
        url: URL of the clip.
        ca_file: File of the certificate authority of the origin.
        idle_s: Seconds that a connection is left idle before it is used.
        rounds: Counted rounds; one more comes first.

    Returns:
        For each method and round the seconds until the first byte, `HEAD_BYTES`, half and all of the body
        have arrived; NaN where the method cannot tell.
    """
    methods: dict[str, Callable[[], list[float]]] = {}
    for name, connections in METHODS.items():
        methods[name] = (
            _raw(url, ca_file, idle_s) if connections == RAW else _pool(url, ca_file, idle_s, connections)
        )
    found: dict[str, list[list[float]]] = {name: [] for name in methods}
    for turn in range(rounds + 1):
        for name, method in methods.items():
            seconds = method()
            if turn:  # the first round is not counted
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


def _pool(url: str, ca_file: str, idle_s: float, connections: int) -> Callable[[], list[float]]:
    from services.cancellation import CancelScope
    from services.deadline import Deadline
    from services.download.download import Download
    from services.download.pool import ConnectionPool
    from services.settings import load_settings
    from services.timeline import Timeline

    settings = load_settings(
        ca_file=ca_file, allow_private_addresses=True, connect_timeout_s=15, range_connections=connections
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
    """Measure in a link lab and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", default="r40,r200,r600")
    parser.add_argument("--congestion", default="cubic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        url, ca_file, idle_s = options.inside
        print(json.dumps(run_methods(url, ca_file, float(idle_s), options.rounds)))
        return
    require()
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
    print(f"{condition + ', s until arrived:':30} 1 byte {HEAD_BYTES // 1000} KB   half    all")
    for name, rounds in found.items():
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        print(f"  {name:28} " + " ".join(f"{value:6.3f}" for value in medians))


if __name__ == "__main__":
    main()
