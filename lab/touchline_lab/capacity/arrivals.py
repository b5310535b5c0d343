"""Arrival times of challenges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HOUR_S = 3600.0
"""Seconds of an hour."""
Seconds = npt.NDArray[np.float64]


def poisson(per_hour: float, count: int, rng: np.random.Generator) -> Seconds:
    """Arrival times of independent challenges (a Poisson process).

    Args:
        per_hour: Challenges per hour, on average.
        count: Number of challenges.
        rng: Source of random numbers.

    Returns:
        Seconds, rising, shape (count,).
    """
    return np.cumsum(rng.exponential(HOUR_S / per_hour, count))


def bursts(
    per_hour: float, size: int, count: int, rng: np.random.Generator, spread_s: float = 0.0
) -> Seconds:
    """Arrival times of bursts at regular intervals, as from several validators that all send on the hour.

    Args:
        per_hour: Challenges per hour, on average; there are `per_hour / size` bursts per hour.
        size: Challenges in a burst.
        count: Number of challenges, rounded up to whole bursts.
        rng: Source of random numbers.
        spread_s: Seconds after the begin of its burst within which a challenge arrives, evenly distributed.

    Returns:
        Seconds, rising, shape (at least count,).
    """
    number = -(-count // size)
    begins = np.repeat(np.arange(number) * (HOUR_S * size / per_hour), size)
    return np.sort(begins + rng.uniform(0.0, spread_s, number * size))
