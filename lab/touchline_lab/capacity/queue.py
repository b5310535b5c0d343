"""Simulates one queue in front of several workers, challenge by challenge."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to each challenge, in order of arrival.

    Attributes:
        waited: Seconds until a worker took the challenge or its deadline passed, shape (n,).
        took: Seconds from arrival to the answer, or to the end without one, shape (n,).
        missed: Whether there was no answer by the deadline, shape (n,).
        busy: Share of the time that the workers were busy, from the first arrival to the last end.
    """

    waited: Seconds
    took: Seconds
    missed: npt.NDArray[np.bool_]
    busy: float


def simulate(arrivals: Seconds, services: Seconds, workers: int, deadline_s: float = math.inf) -> Outcome:
    """Run challenges through a queue.

    Challenges are taken in order of arrival; a free worker takes the next one at once. As with real workers,
    a challenge whose deadline passed while it waited is refused without work, and one whose deadline passes
    while it is worked on ends there.

    Args:
        arrivals: Arrival times in seconds, rising, shape (n,).
        services: Service time of each challenge in seconds, shape (n,).
        workers: Number of workers.
        deadline_s: Seconds from the arrival of a challenge to its deadline.
    """
    free = [float(arrivals[0]) if len(arrivals) else 0.0] * workers
    waited, took = np.empty(len(arrivals)), np.empty(len(arrivals))
    missed = np.zeros(len(arrivals), np.bool_)
    worked = 0.0
    for number, (came, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        start = max(came, free[0])
        waited[number] = start - came
        left = deadline_s - waited[number]
        if left <= 0:
            waited[number] = took[number] = deadline_s
            missed[number] = True
            continue
        spent = min(service, left)
        missed[number] = service > left
        heapq.heapreplace(free, start + spent)
        took[number] = waited[number] + spent
        worked += spent
    span = (max(max(free), float(arrivals[-1])) - float(arrivals[0])) if len(arrivals) else 0.0
    return Outcome(waited, took, missed, worked / (workers * span) if span else 0.0)
