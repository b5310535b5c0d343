"""Finds the smallest number of workers that meets a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from touchline_lab.capacity.arrivals import Seconds, bursts, poisson
from touchline_lab.capacity.queue import Outcome, simulate

PERCENTILES = (50, 90, 95, 99)
"""Percentiles of waiting and answering times that are reported."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The challenges, and what is required of their answers.

    Attributes:
        per_hour: Challenges per hour, on average.
        deadline_s: Seconds from the arrival of a challenge to its deadline.
        percentile: Per cent of the challenges that have to be answered by the deadline.
        burst: Challenges that arrive at once, at regular intervals; with 1 they arrive at random times.
        spread_s: Seconds over which a burst is spread.
    """

    per_hour: float
    deadline_s: float
    percentile: float = 99.0
    burst: int = 1
    spread_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a number of workers would achieve.

    Attributes:
        workers: Number of workers.
        busy: Share of the time that the workers are busy.
        waited_s: Seconds of waiting for a worker, by percentile.
        took_s: Seconds from arrival to the answer, or to the end without one, by percentile.
        missed: Share of challenges that are not answered by their deadline.
    """

    workers: int
    busy: float
    waited_s: dict[int, float]
    took_s: dict[int, float]
    missed: float

    def meets(self, demand: Demand) -> bool:
        """Whether the required share of challenges is answered in time."""
        return self.missed <= 1.0 - demand.percentile / 100 + 1e-12


def outlooks(
    demand: Demand, service_s: Sequence[float], maximum: int, count: int, seed: int
) -> list[Outlook]:
    """Simulate 1 to `maximum` workers with the same challenges.

    Args:
        demand: The challenges, and what is required.
        service_s: Measured service times in seconds; each challenge takes a random one of them.
        maximum: Largest number of workers.
        count: Number of challenges to simulate.
        seed: The same seed gives the same result.
    """
    rng = np.random.default_rng(seed)
    arrivals = arrival_times(demand, count, rng)
    services = rng.choice(np.asarray(service_s, np.float64), len(arrivals))
    return [
        _outlook(workers, simulate(arrivals, services, workers, demand.deadline_s))
        for workers in range(1, maximum + 1)
    ]


def arrival_times(demand: Demand, count: int, rng: np.random.Generator) -> Seconds:
    """Arrival times in seconds, rising, shape (at least count,)."""
    if demand.burst > 1:
        return bursts(demand.per_hour, demand.burst, count, rng, demand.spread_s)
    return poisson(demand.per_hour, count, rng)


def enough(found: Sequence[Outlook], demand: Demand) -> Outlook | None:
    """The first outlook that meets the demand, or None."""
    return next((outlook for outlook in found if outlook.meets(demand)), None)


def percentiles(seconds: Seconds) -> dict[int, float]:
    """The `PERCENTILES` of times in seconds, by percentile."""
    return dict(zip(PERCENTILES, np.percentile(seconds, PERCENTILES).tolist(), strict=True))


def _outlook(workers: int, outcome: Outcome) -> Outlook:
    return Outlook(
        workers,
        outcome.busy,
        percentiles(outcome.waited),
        percentiles(outcome.took),
        float(outcome.missed.mean()),
    )
