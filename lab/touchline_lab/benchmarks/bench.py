"""The benchmark: all methods on the same clip, link, models and cores, round after round.

touchline bench --links seed,r40 --rounds 5
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from services.concurrency import core_count
from touchline_lab.benchmarks.clips import FRONT, prepare
from touchline_lab.benchmarks.floors import combine
from touchline_lab.benchmarks.job import Job, Row
from touchline_lab.benchmarks.linklab.lab import congestion_controls, missing
from touchline_lab.benchmarks.origins import Place, demo_place, lab_place
from touchline_lab.benchmarks.process import MethodFailed, MethodProcess
from touchline_lab.benchmarks.results import Condition, Results, median
from touchline_lab.benchmarks.run_plan import COMPUTE, NETWORK, Options, Plan, make_plan, method_and_clip

Say = Callable[[str], None]
"""Receives one line of progress."""


def run_bench(options: Options, say: Say) -> Results:
    """Measure everything.

    Args:
        options: What is to be measured.
        say: Receives the progress, line by line.

    Raises:
        SettingsError: A link has a name that does not exist.
        StartFailed: The link lab, or the process of a method, did not start.
    """
    # network namespaces outlive a process that is killed: on SIGTERM clean up as after Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = make_plan(options, missing(), congestion_controls())
    for sentence in plan.left_out:
        say(f"left out: {sentence}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-bench-")))
        served = folder / "www"
        served.mkdir()
        say("preparing the clip (rendered at the first run, about a minute)")
        prepare(served, short=options.quick)
        place = stack.enter_context(lab_place(served) if plan.lab else demo_place(served))
        return _Bench(options, plan, place, served, stack, say).results()


class _Bench:
    def __init__(
        self, options: Options, plan: Plan, place: Place, served: Path, stack: ExitStack, say: Say
    ) -> None:
        self._options = options
        self._plan = plan
        self._place = place
        self._served = served
        self._say = say
        self._log = served.parent / "methods.log"
        self._methods: dict[str, MethodProcess] = {}
        for name in dict.fromkeys([method_and_clip(row)[0] for row in plan.rows] + [NETWORK, COMPUTE]):
            say(f"starting {name}")
            method = MethodProcess(name, place, options.device, options.env, self._log)
            stack.callback(method.close)
            self._methods[name] = method

    def results(self) -> Results:
        conditions = [self._condition(link, control) for link, control in self._plan.conditions]
        return Results(
            conditions, self._plan.left_out, self._options.device, core_count(), self._options.rounds
        )

    def _condition(self, link: str, control: str) -> Condition:
        idle_s, rate = self._place.choose(link, control)
        rows: dict[str, list[Row]] = {row: [] for row in (*self._plan.rows, NETWORK, COMPUTE)}
        failed: dict[str, str] = {}
        for turn in range(self._options.rounds + 1):
            for row in rows:
                if row in failed:
                    continue
                method, clip = method_and_clip(row)
                try:
                    found = self._methods[method].run(self._job(clip, idle_s, rate))
                except MethodFailed as error:
                    failed[row] = str(error)
                    self._say(f"{link}/{control} {row}: left out: {error}")
                    continue
                if turn:  # the first round is not counted: every method loads what it needs
                    rows[row].append(found)
                    answer = found.get("answer_s", found.get("network_s", 0.0))
                    self._say(f"{link}/{control} round {turn} {row:26} {answer:.2f} s")
        network, compute = median(rows.pop(NETWORK)), median(rows.pop(COMPUTE))
        floors = combine(network, compute, rate) if network and compute else {}
        return Condition(link, control, {k: v for k, v in rows.items() if v}, floors, failed)

    def _job(self, clip: str, idle_s: float, rate: float) -> Job:
        url, short_idle_url = self._place.urls(clip)
        # the floors are those of the clip whose index stands in front
        return Job(url, short_idle_url, str(self._served / FRONT), idle_s, rate)
