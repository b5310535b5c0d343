"""How many challenges wait in the queue, and for how long the oldest one has."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from tasks.queue_message import BadMessage, check_message


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue at one moment.

    Attributes:
        depth: Challenges that wait.
        oldest_s: Seconds since the oldest of them was submitted; 0 when none waits.
    """

    depth: int
    oldest_s: float


def queue_state(connection: redis.Redis, queue_name: str) -> QueueState:
    """Look at the queue without taking anything from it.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
    """
    with connection.pipeline(transaction=False) as pipe:
        pipe.llen(queue_name)
        pipe.lindex(queue_name, -1)
        pipe.time()
        depth, oldest, (seconds, microseconds) = pipe.execute()
    # times on the queue are by Redis's clock
    now = seconds + microseconds / 1e6
    return QueueState(int(depth), 0.0 if oldest is None else _age_s(bytes(oldest), now))


def _age_s(message: bytes, now: float) -> float:
    """Seconds since a message was submitted; 0 for one that no front end of this project sent."""
    try:
        return max(0.0, now - check_message(message).submitted_at)
    except BadMessage:
        return 0.0
