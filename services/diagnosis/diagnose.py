"""Diagnosing one URL: cold, warm, what the origin is like, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from services.challenges.kinds import ServedKinds
from services.diagnosis.origin_facts import OriginFacts, examine
from services.diagnosis.phases import phases_of
from services.diagnosis.runs import Run, run_once
from services.diagnosis.verdict import Verdict, judge
from services.download.pool import ConnectionPool
from services.settings import Settings

RUN_S: Final = 60.0
"""Seconds after which one run is given up: twice the longest time that a validator waits."""
TOUCHES: Final = 2
"""Times that the pool is warmed before the warm runs: the second one measures the round trip."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was measured.

    Attributes:
        url: The clip.
        whole: Whether the clip was answered, not only downloaded.
        cold: The timeline of the run that found the pool cold.
        warm: The timeline of the warm run with the median total.
        warm_totals_s: The totals of all warm runs, in order.
        origin: What the origin is like.
        verdict: What that means.
    """

    url: str
    whole: bool
    cold: dict[str, Any]
    warm: dict[str, Any]
    warm_totals_s: tuple[float, ...]
    origin: OriginFacts
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return asdict(self)


def diagnose(
    url: str,
    settings: Settings,
    kinds: ServedKinds | None,
    *,
    repeat: int = 3,
    idle_s: float = 0.0,
    say: Say = lambda _: None,
) -> Diagnosis:
    """Measure a URL through a pool of its own, as a worker has one.

    Args:
        url: The clip.
        settings: As a worker has them.
        kinds: What answers, models loaded and warm; None: the download alone is measured.
        repeat: Warm runs.
        idle_s: Seconds to wait for the origin to close an idle connection; 0: that is not tried.
        say: Told what is being done.

    Raises:
        ChallengeError: A run failed; its `timeline` holds the stages up to then.
    """
    pool = ConnectionPool(settings)
    try:
        say("cold: a new connection")
        cold = _checked(run_once(url, pool, settings, kinds, RUN_S))
        for _ in range(TOUCHES):
            pool.warmup(url)
        runs = []
        for number in range(1, repeat + 1):
            say(f"warm: run {number} of {repeat}")
            runs.append(_checked(run_once(url, pool, settings, kinds, RUN_S)))
        say("what the origin is like")
        origin = examine(url, pool, settings, idle_s)
    finally:
        pool.close()
    warm = sorted(runs, key=lambda run: run.total_s)[len(runs) // 2]
    verdict = judge(
        phases_of(cold.timeline), phases_of(warm.timeline), origin, settings, warm.timeline["facts"]
    )
    return Diagnosis(
        url=url,
        whole=kinds is not None,
        cold=cold.timeline,
        warm=warm.timeline,
        warm_totals_s=tuple(run.total_s for run in runs),
        origin=origin,
        verdict=verdict,
    )


def _checked(run: Run) -> Run:
    if run.error is not None:
        run.error.timeline = run.timeline
        raise run.error
    return run
