"""The benchmark of one URL of the operator's own: the reference miner against Touchline, cold and warm.

touchline bench --url https://HOST/CLIP.mp4 --quick
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import certifi

from services.concurrency import core_count
from services.deadline import Deadline
from services.download.body_head import check_status
from services.download.pool import ConnectionPool
from services.errors import SettingsError, StartFailed
from services.settings import get_settings
from touchline_lab.benchmarks.bench import Say
from touchline_lab.benchmarks.job import Job, Row
from touchline_lab.benchmarks.origins import MIN_IDLE_S
from touchline_lab.benchmarks.process import MethodFailed, MethodProcess
from touchline_lab.benchmarks.results import Condition, Results
from touchline_lab.benchmarks.run_plan import QUICK_ROWS

CHECK_S = 30.0
"""Seconds in which the origin has to answer before anything is measured."""
LEFT_OUT = (
    "Floors and emulated links: only a clip that the benchmark serves itself has them.",
    "touchline-idle: it needs a second port with a short idle time-out.",
)


@dataclass
class UrlPlace:
    """An origin that exists already, as a `Place`.

    Attributes:
        url: The clip.
        ca_file: File of the certificate authorities.
    """

    url: str
    ca_file: str

    def urls(self, name: str) -> tuple[str, str]:
        """See `Place`; the name does not matter."""
        return self.url, ""

    def inside(self, argv: Sequence[str]) -> list[str]:
        """See `Place`."""
        return list(argv)

    def choose(self, link: str, congestion: str) -> tuple[float, float]:
        """See `Place`."""
        return MIN_IDLE_S, 0.0


def run_url(
    url: str,
    device: str,
    env: Mapping[str, str],
    rounds: int,
    methods: Sequence[str],
    say: Say,
) -> Results:
    """Measure `QUICK_ROWS` on one URL; a round that is not counted comes first.

    Args:
        url: The clip.
        device: The setting `DEVICE`.
        env: Further settings of the methods, by the names of their variables.
        rounds: Rounds that are counted.
        methods: Those of `QUICK_ROWS` to measure; all of them if empty.
        say: Receives the progress, line by line.

    Raises:
        ChallengeError: The origin does not give the clip.
        SettingsError: There is no method of that name for a URL.
        StartFailed: The process of a method did not start, or no method could answer the clip.
    """
    for name in methods:
        if name not in QUICK_ROWS:
            raise SettingsError(f"no method {name!r} for a URL; methods: {', '.join(QUICK_ROWS)}")
    place = UrlPlace(url, get_settings().ca_file or certifi.where())
    _check(place)
    job = Job(url, "", "", MIN_IDLE_S, 0.0)
    rows: dict[str, list[Row]] = {name: [] for name in QUICK_ROWS if not methods or name in methods}
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-bench-")))
        processes = {}
        for name in rows:
            say(f"starting {name}")
            processes[name] = MethodProcess(name, place, device, env, folder / "methods.log")
            stack.callback(processes[name].close)
        for turn in range(rounds + 1):
            for name in (name for name in rows if name not in failed):
                try:
                    found = processes[name].run(job)
                except MethodFailed as error:
                    failed[name] = str(error)
                    say(f"{name}: left out: {error}")
                    continue
                if turn:  # the first round is not counted: every method loads what it needs
                    rows[name].append(found)
                    say(f"round {turn} {name:26} {found['answer_s']:.2f} s")
    counted = {name: found for name, found in rows.items() if found}
    if not counted:
        raise StartFailed(f"no method could answer {url}: " + "; ".join(failed.values()))
    return Results([Condition("url", "own", counted, {}, failed)], LEFT_OUT, device, core_count(), rounds)


def _check(place: UrlPlace) -> None:
    """Ask for the clip once, before models are loaded for it."""
    # as the methods are run (`Context.settings`)
    pool = ConnectionPool(get_settings().model_copy(update={"allow_private_addresses": True}))
    try:
        with pool.open(place.url, Deadline.after(CHECK_S)) as exchange:
            check_status(exchange.response, "the clip")
    finally:
        pool.close()
