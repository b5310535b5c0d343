"""What the workers have to do at the moment: the queue, and how many take from it."""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio
import redis.exceptions

from services.settings import Settings
from tasks.capacity import CAPACITY_KEY, Capacity, read_capacity


@dataclass(frozen=True, slots=True)
class Load:
    """The queue and the workers at one moment.

    Attributes:
        waiting: Challenges in the queue.
        capacity: The workers that take challenges.
    """

    waiting: int
    capacity: Capacity

    def takes_another(self, settings: Settings) -> bool:
        """Whether a challenge that came now would be answered before its deadline."""
        expected_s = self.capacity.expected_s(self.waiting)
        in_time = expected_s is not None and expected_s <= settings.answer_within_s
        return in_time and self.waiting < settings.max_queue


async def current_load(connection: redis.asyncio.Redis, queue_name: str) -> Load | None:
    """Ask Redis, which takes a fraction of a millisecond; None where it does not answer."""
    try:
        async with connection.pipeline(transaction=False) as pipe:
            pipe.llen(queue_name)
            pipe.hgetall(CAPACITY_KEY)
            pipe.time()
            waiting, records, (seconds, microseconds) = await pipe.execute()
    except (redis.exceptions.RedisError, OSError):
        return None
    return Load(int(waiting), read_capacity(records, seconds + microseconds / 1e6))
