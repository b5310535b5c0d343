"""`python -m touchline_lab.reliability.soak`: thousands of challenges, and what the system holds afterwards.

Good, bad and hostile challenges come from several callers at once, garbage lies on the queue, and now and
then a child is killed. Callers keep one ledger; the workers' log lines are another. Every challenge has to
have ended in time in one outcome of its kind, and the workers must not hold more at the end than before.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis
from rich.console import Console
from rich.table import Table

from services.errors import ChallengeError, DeadlineExceeded, WorkerLost
from services.pipeline.warm import noise_clip
from services.processes.process_tree import descendants, send_signal
from tasks.client import submit
from touchline_lab.reliability.footprint import Footprint, footprint
from touchline_lab.reliability.rig import Rig
from touchline_lab.reliability.traffic import DEADLINE_S, Request, hostile_files, mixed

LATE_S: Final = 0.5
"""Seconds after its deadline by which a challenge has ended, where the machine has time for all of them."""
WARM_UP: Final = 20
"""Challenges before the first look at what the system holds: libraries load parts of themselves late."""
GROWTH: Final = Footprint(rss_mb=100, descriptors=16, threads=8, sockets=12)
"""What the largest child may hold more at the end than at the beginning: noise, whatever the number of
challenges."""
GARBAGE_EVERY: Final = 50
"""Challenges between two messages that are none of ours."""


@dataclass(slots=True)
class Ledger:
    """What became of the challenges.

    Attributes:
        late_s: Seconds after its deadline by which a challenge has ended.
        outcomes: By challenge: what its caller got, `answer` or an error's type, with the seconds it took.
        late: Challenges that ended too late.
        wrong: Challenges that ended otherwise than they should.
        answered_lines: By challenge: how many times a worker's log says that it was answered.
    """

    late_s: float = LATE_S
    outcomes: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    answered_lines: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, _name: str, line: str) -> None:
        """Take a log line of a worker."""
        if '"result": "complete"' in line or '"result": "partial"' in line:
            with self.lock:
                self.answered_lines[json.loads(line)["challenge_id"]] += 1

    def note(self, request: Request, outcome: str, seconds: float, allowed: bool) -> None:
        """Take what a caller got."""
        with self.lock:
            self.outcomes.setdefault(request.challenge_id, []).append((outcome, seconds))
            if seconds > request.deadline_s + self.late_s:
                self.late.append(f"{request.sort}: {outcome} after {seconds:.1f} s")
            if not allowed:
                self.wrong.append(f"{request.sort}: {outcome}")

    def problems(self, requests: int) -> list[str]:
        """What is wrong with it, in words."""
        found = [f"late: {text}" for text in self.late] + [f"wrong: {text}" for text in self.wrong]
        if len(self.outcomes) != requests:
            found.append(f"{requests - len(self.outcomes)} challenges have no outcome")
        found += [
            f"{name} has {len(all_)} outcomes" for name, all_ in self.outcomes.items() if len(all_) != 1
        ]
        found += [f"{name} was answered {n} times" for name, n in self.answered_lines.items() if n > 1]
        return found


def ask(rig: Rig, request: Request, ledger: Ledger, kills: threading.Event) -> None:
    """Submit one challenge, wait, and write down what came of it."""
    started = time.monotonic()
    try:
        submit(
            request.url,
            challenge_id=request.challenge_id,
            redis_url=rig.valkey.url,
            deadline_s=request.deadline_s,
        ).wait()
        outcome, allowed = "answer", request.answered
    except ChallengeError as error:
        # a challenge may be hit by two kills, or have no time left after one
        hit = kills.is_set() and (isinstance(error, WorkerLost | DeadlineExceeded) or error.retryable)
        outcome, allowed = type(error).__name__, not request.answered or hit
    ledger.note(request, outcome, time.monotonic() - started, allowed)


def children(rig: Rig) -> list[int]:
    """The processes that work on challenges."""
    found = []
    for worker in rig.workers:
        below = descendants(worker.pid)
        found += [pid for pid in below if not descendants(pid)]
    return found


def largest(rig: Rig) -> Footprint:
    """The most that any child holds, of each thing."""
    seen = []
    for pid in children(rig):
        try:
            seen.append(footprint(pid))
        except FileNotFoundError:
            continue
    return Footprint(
        max(one.rss_mb for one in seen),
        max(one.descriptors for one in seen),
        max(one.threads for one in seen),
        max(one.sockets for one in seen),
    )


def keys(rig: Rig) -> tuple[int, int, int]:
    """Keys in Valkey: all, those without an expiry; and the clients that are connected."""
    with redis.Redis.from_url(rig.valkey.url) as connection:
        names = list(connection.scan_iter("*", count=1000))
        lasting = sum(connection.ttl(name) == -1 for name in names)
        return len(names), lasting, int(connection.info("clients")["connected_clients"])


def run(options: argparse.Namespace, console: Console) -> list[str]:
    """Run the soak; what was wrong, in words."""
    ledger, kills, over = Ledger(options.late), threading.Event(), threading.Event()
    clip = noise_clip()
    with (
        tempfile.TemporaryDirectory(prefix="touchline-soak-") as folder,
        Rig(
            Path(folder),
            options.workers,
            # on a loaded machine the origin seems far away, and range connections would count as growth
            env={"LOG_FORMAT": "json", "MAX_QUEUE": "1000", "RANGE_MIN_RTT_MS": "10000"},
            listener=ledger.listen,
            files=hostile_files(clip),
        ) as rig,
        ThreadPoolExecutor(options.callers) as callers,
    ):
        _answer(rig, "before", WARM_UP)
        before, keys_before = largest(rig), keys(rig)
        killer = threading.Thread(target=_kill_now_and_then, args=(rig, options, kills, over), daemon=True)
        killer.start()
        started = time.monotonic()
        list(callers.map(lambda request: ask(rig, request, ledger, kills), _with_garbage(rig, options)))
        seconds = time.monotonic() - started
        over.set()
        killer.join()
        rig.wait_until_ready()
        _answer(rig, "after", options.workers)
        after, keys_after = largest(rig), keys(rig)
    _report(console, ledger, seconds, (before, after), (keys_before, keys_after))
    found = ledger.problems(options.challenges)
    for name in ("rss_mb", "descriptors", "threads", "sockets"):
        grown = getattr(after, name) - getattr(before, name)
        if grown > getattr(GROWTH, name):
            found.append(f"{name} grew by {grown}")
    if keys_after[1] > keys_before[1]:
        found.append(f"{keys_after[1] - keys_before[1]} more keys without an expiry")
    return found


def _answer(rig: Rig, name: str, count: int) -> None:
    """Have good challenges answered, one after the other."""
    for number in range(count):
        submit(rig.url(), challenge_id=f"{name}-{number}", redis_url=rig.valkey.url, deadline_s=60).wait()


def _with_garbage(rig: Rig, options: argparse.Namespace) -> Iterator[Request]:
    with redis.Redis.from_url(rig.valkey.url) as connection:
        for number, request in enumerate(
            mixed(rig, options.challenges, options.seed, options.good, options.deadline)
        ):
            if number % GARBAGE_EVERY == 0:
                connection.lpush("touchline", b"{}" if number % 2 else b"\xff[")
            yield request


def _kill_now_and_then(
    rig: Rig, options: argparse.Namespace, kills: threading.Event, over: threading.Event
) -> None:
    chance = random.Random(options.seed)
    while options.fault_every and not over.wait(options.fault_every):
        kills.set()
        if pids := children(rig):
            send_signal(chance.choice(sorted(pids)), signal.SIGKILL)
            # where models load slowly, nobody would be left otherwise
            rig.wait_until_ready()


def _report(
    console: Console,
    ledger: Ledger,
    seconds: float,
    held: tuple[Footprint, Footprint],
    in_redis: tuple[tuple[int, int, int], tuple[int, int, int]],
) -> None:
    every = [entry for entries in ledger.outcomes.values() for entry in entries]
    answered = sorted(took for outcome, took in every if outcome == "answer")
    cuts = statistics.quantiles(answered, n=100) if len(answered) > 1 else [0.0] * 99
    console.print(
        f"{len(every)} challenges in {seconds:.0f} s, {len(every) / seconds:.1f} a second; answers after "
        f"p50 {cuts[49]:.2f} s, p95 {cuts[94]:.2f} s, p99 {cuts[98]:.2f} s"
    )
    table = Table("outcome", "challenges")
    for outcome, count in Counter(outcome for outcome, _ in every).most_common():
        table.add_row(outcome, str(count))
    console.print(table)
    table = Table("the largest child", "at the start", "at the end")
    for name in ("rss_mb", "descriptors", "threads", "sockets"):
        table.add_row(name, str(getattr(held[0], name)), str(getattr(held[1], name)))
    for name, old, new in zip(
        ("keys in Redis", "of these without an expiry", "clients of Redis"), *in_redis, strict=True
    ):
        table.add_row(name, str(old), str(new))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m touchline_lab.reliability.soak", description=__doc__)
    parser.add_argument("--challenges", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--callers", type=int, default=6, help="challenges at a time")
    parser.add_argument("--good", type=float, default=0.8, help="share of challenges that can be answered")
    parser.add_argument(
        "--fault-every", type=float, default=60.0, help="seconds until the next kill; 0: none"
    )
    parser.add_argument("--deadline", type=float, default=DEADLINE_S, help="seconds, of most challenges")
    parser.add_argument("--late", type=float, default=LATE_S, help="seconds that one may end too late")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 120)
    problems = run(options, console)
    for problem in problems[:20]:
        console.print(f"PROBLEM {problem}", highlight=False)
    console.print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
