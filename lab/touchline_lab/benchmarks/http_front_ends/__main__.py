"""`python -m touchline_lab.benchmarks.http_front_ends`: what each one adds, and how much it carries."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from rich.console import Console
from rich.table import Table

from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.supervised import SupervisedProcess
from touchline_lab.benchmarks.http_front_ends.front_ends import FRONT_ENDS
from touchline_lab.benchmarks.http_front_ends.load import Loaded, load

START_S: Final = 60.0
"""Seconds that a front end may take until it answers."""
CALM, FULL = 20.0, 200.0
"""Requests a second: what few operators ever see, and what the gateway is to hold."""
MODULE: Final = "touchline_lab.benchmarks.http_front_ends"


@contextmanager
def front_end(name: str) -> Iterator[int]:
    """An HTTP front end with what stands behind it; its port."""
    with ExitStack() as stack:
        valkey = stack.enter_context(EmbeddedValkey())
        port = free_port()
        env = {
            "REDIS_URL": valkey.url,
            "VERIFY_ENABLED": "0",
            "BLACKLIST_ENABLED": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "MAX_REQUESTS": "2000",
            "MAX_REQUESTS_PER_HOTKEY": "2000",
            "MAX_QUEUE": "10000",
            # 200 answers of 1 MB a second are kept no longer than needed
            "REPLY_TTL_S": "10",
        }
        python = [sys.executable, "-P", "-m"]
        parts = {"front end": [*python, f"{MODULE}.front_ends", name, str(port), valkey.url]}
        if name == "touchline gateway":
            parts["worker"] = [*python, f"{MODULE}.front_ends", "worker", "0", valkey.url]
        if name == "celery JSON result":
            app = f"{MODULE}.celery_front_end"
            quiet = ["--pool", "solo", "--loglevel", "ERROR"]
            parts["worker"] = [*python, "celery", "-A", app, "worker", *quiet]
        started = [
            stack.enter_context(SupervisedProcess(part, command, env)) for part, command in parts.items()
        ]
        end = time.monotonic() + START_S
        while True:
            for part in started:
                part.check()
            try:
                asyncio.run(asyncio.wait_for(load(port, CALM, 1, "start"), 5))
                break
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield port


def measure(names: Sequence[str], rounds: int, seconds: float) -> dict[tuple[str, float], list[Loaded]]:
    """Load every front end at both rates, interleaved."""
    found: dict[tuple[str, float], list[Loaded]] = {}
    for number in range(rounds):
        for name in names:
            with front_end(name) as port:
                asyncio.run(load(port, CALM, 20, "warm"))
                for rate in (CALM, FULL):
                    done = asyncio.run(load(port, rate, int(rate * seconds), f"r{number}-{rate:.0f}"))
                    found.setdefault((name, rate), []).append(done)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load, per round and rate")
    parser.add_argument("--only", choices=sorted(FRONT_ENDS))
    parser.add_argument("--cores", type=int, default=2, help="for everything, the load generator included")
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.cores]))
    names = [options.only] if options.only else list(FRONT_ENDS)
    table = Table(
        "HTTP front end", "asked a second", "answered a second", "p50 (ms)", "p95 (ms)", "failed, by status",
        title="answers of 1 MB, work that takes no time; medians of the rounds", title_justify="left",
    )  # fmt: skip
    for (name, rate), rounds in measure(names, options.rounds, options.seconds).items():

        def middle(values: Iterator[float]) -> str:
            return f"{statistics.median(values):.1f}"

        table.add_row(
            name,
            f"{rate:.0f}",
            middle(one.rate for one in rounds),
            middle(1000 * one.percentile(50) for one in rounds),
            middle(1000 * one.percentile(95) for one in rounds),
            _counts(sum((one.failed for one in rounds), Counter())),
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _counts(failed: Counter[int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(failed.items())) or "0"


if __name__ == "__main__":
    main()
