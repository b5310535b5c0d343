"""The smallest number of workers that holds a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from touchline_lab.capacity.arrivals import Seconds, bursts, poisson
from touchline_lab.capacity.queue import Outcome, simulate

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of the workers.

    Attributes:
        per_hour: Challenges in an hour, on average.
        deadline_s: Seconds from a challenge's arrival in which its answer is wanted.
        percentile: Per cent of the challenges that have to hold it.
        burst: Challenges that come at once, in even distances; 1 lets them come by chance.
        spread_s: Seconds over which a burst is spread.
    """

    per_hour: float
    deadline_s: float
    percentile: float = 99.0
    burst: int = 1
    spread_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What some workers would do.

    Attributes:
        workers: How many.
        busy: Share of their time that they work.
        waited_s: Waiting for a worker, by percentile.
        took_s: Until the answer, or the end without one, by percentile.
        missed: Share of challenges without an answer by their deadline.
    """

    workers: int
    busy: float
    waited_s: dict[int, float]
    took_s: dict[int, float]
    missed: float

    def holds(self, demand: Demand) -> bool:
        """Whether enough challenges are answered in time."""
        return self.missed <= 1.0 - demand.percentile / 100 + 1e-12


def outlooks(demand: Demand, service_s: Sequence[float], most: int, count: int, seed: int) -> list[Outlook]:
    """What 1 to `most` workers would do with the same challenges.

    Args:
        demand: What is asked.
        service_s: Measured service times in seconds; each challenge takes one of them by chance.
        most: Workers to try.
        count: Challenges to simulate.
        seed: Same seed, same result.
    """
    rng = np.random.default_rng(seed)
    arrivals = arrival_times(demand, count, rng)
    services = rng.choice(np.asarray(service_s, np.float64), len(arrivals))
    return [
        _outlook(workers, simulate(arrivals, services, workers, demand.deadline_s))
        for workers in range(1, most + 1)
    ]


def arrival_times(demand: Demand, count: int, rng: np.random.Generator) -> Seconds:
    """(about count,) rising, seconds."""
    if demand.burst > 1:
        return bursts(demand.per_hour, demand.burst, count, rng, demand.spread_s)
    return poisson(demand.per_hour, count, rng)


def enough(found: Sequence[Outlook], demand: Demand) -> Outlook | None:
    """The first outlook that holds, or None."""
    return next((outlook for outlook in found if outlook.holds(demand)), None)


def percentiles(seconds: Seconds) -> dict[int, float]:
    """By percentile."""
    return dict(zip(PERCENTILES, np.percentile(seconds, PERCENTILES).tolist(), strict=True))


def _outlook(workers: int, outcome: Outcome) -> Outlook:
    return Outlook(
        workers,
        outcome.busy,
        percentiles(outcome.waited),
        percentiles(outcome.took),
        float(outcome.missed.mean()),
    )
