"""When challenges come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HOUR_S = 3600.0
Seconds = npt.NDArray[np.float64]


def poisson(per_hour: float, count: int, rng: np.random.Generator) -> Seconds:
    """Challenges that know nothing of each other.

    Args:
        per_hour: Mean rate.
        count: How many.
        rng: Source of chance.

    Returns:
        (count,) rising, seconds.
    """
    return np.cumsum(rng.exponential(HOUR_S / per_hour, count))


def bursts(
    per_hour: float, size: int, count: int, rng: np.random.Generator, spread_s: float = 0.0
) -> Seconds:
    """Several challenges at once in even distances, as from validators that all send on the hour.

    Args:
        per_hour: Mean rate of challenges; there are `per_hour / size` bursts in an hour.
        size: Challenges in a burst.
        count: Challenges in all, rounded up to whole bursts.
        rng: Source of chance.
        spread_s: Clocks differ: each challenge comes up to that much after its burst begins, evenly.

    Returns:
        (about count,) rising, seconds.
    """
    number = -(-count // size)
    begins = np.repeat(np.arange(number) * (HOUR_S * size / per_hour), size)
    return np.sort(begins + rng.uniform(0.0, spread_s, number * size))
