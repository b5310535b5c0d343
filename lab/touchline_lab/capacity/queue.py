"""One queue in front of some workers, event by event."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to each challenge, in the order of their arrival.

    Attributes:
        waited: (n,) seconds until a worker took it, or until it was given up.
        took: (n,) seconds from its arrival to its answer or to its end without one.
        missed: (n,) whether it had no answer by its deadline.
        busy: Share of the workers' time that was worked in, from the first arrival to the last end.
    """

    waited: Seconds
    took: Seconds
    missed: npt.NDArray[np.bool_]
    busy: float


def simulate(arrivals: Seconds, services: Seconds, workers: int, deadline_s: float = math.inf) -> Outcome:
    """Run challenges through a queue.

    First come, first served; a free worker takes the next one at once. As with real workers, a challenge
    whose deadline passed while it waited is refused without work, and one that reaches it during its work is
    ended there.

    Args:
        arrivals: (n,) rising, seconds.
        services: (n,) seconds of work of each.
        workers: How many there are.
        deadline_s: Seconds from arrival until an answer is wanted no more.
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
