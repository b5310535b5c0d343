"""Redis's clock, by which a deadline is given on the wire: front end and worker need not agree on the time.

Each end translates between it and its own clock. Machines that are synchronised differ by milliseconds, which
no deadline notices; only a larger difference is applied, so that a slow round trip is not taken for one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import redis

    from services.wire.challenge import Challenge

MIN_DIFFERENCE_S: Final = 0.25
"""Seconds. Less is what the reserve before a deadline covers; more is applied."""


def clock_difference(connection: redis.Redis) -> float:
    """Seconds by which Redis's clock is ahead of this machine's; 0 for a difference that does not matter.

    Raises:
        redis.exceptions.RedisError: Redis cannot be asked.
    """
    before = time.time()
    now: Any = connection.time()
    return difference_of(now, before, time.time())


def difference_of(now: tuple[int, int], before: float, after: float) -> float:
    """The same from Redis's answer to TIME.

    Args:
        now: Seconds and microseconds.
        before: This machine's time when it was asked for.
        after: This machine's time when it came.
    """
    difference = float(now[0]) + float(now[1]) / 1e6 - (before + after) / 2
    return difference if abs(difference) > MIN_DIFFERENCE_S + (after - before) / 2 else 0.0


def by_own_clock(challenge: Challenge, difference: float) -> Challenge:
    """A challenge whose times are by Redis's clock, with its times by this machine's."""
    import msgspec

    return msgspec.structs.replace(
        challenge, deadline=challenge.deadline - difference, submitted_at=challenge.submitted_at - difference
    )


def described(difference: float) -> str:
    """A sentence for an error, in parentheses; empty without a difference."""
    if not difference:
        return ""
    side = "behind" if difference > 0 else "ahead of"
    return f" (the clock of this machine is {abs(difference):.1f} s {side} Redis's, by which deadlines count)"
