"""Whether a challenge that came now would be answered in time: warm workers, the queue, recent answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis.asyncio
import redis.exceptions

from services.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 3.0
"""Seconds between two questions to the workers: spot checks ask every 3 s."""
PING_S: Final = 1.5
"""Seconds that a worker may take to answer."""
STALE_S: Final = 15.0
"""Seconds after which an answer of the workers no longer counts."""
FIRST_GUESS_S: Final = 2.0
"""Seconds of work of a challenge, before the first has been answered."""
SMOOTHING: Final = 0.3
"""Weight of the latest answer in the running mean."""


class Outlook:
    """Asks the workers in the background, so that no request waits for them.

    Args:
        settings: The queue and the deadline.
        connection: For the length of the queue.
        count_workers: How many workers consume, which they do only when they are warm.
    """

    def __init__(
        self, settings: Settings, connection: redis.asyncio.Redis, count_workers: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._redis = connection
        self._count_workers = count_workers
        self._workers = 0
        self._asked = 0.0
        self._seconds = FIRST_GUESS_S

    @property
    def workers(self) -> int:
        """Warm workers, as of the last answer; 0 when that is too old."""
        return self._workers if time.monotonic() - self._asked < STALE_S else 0

    def answered(self, timeline: Mapping[str, Any]) -> None:
        """Take the time that a worker took for an answer, without what it waited in the queue.

        Args:
            timeline: The answer's; an empty one says nothing.
        """
        seconds = timeline.get("total")
        if isinstance(seconds, int | float):
            self._seconds += SMOOTHING * (seconds - self._seconds)

    async def queue_length(self) -> int | None:
        """Challenges that wait; None where Redis does not say."""
        try:
            return int(await self._redis.llen(self._settings.queue_name))
        except (redis.exceptions.RedisError, OSError):
            return None

    async def available(self) -> bool:
        """Whether there is a warm worker, and the queue leaves enough of the deadline."""
        waiting = await self.queue_length()
        if waiting is None or not self.workers or waiting >= self._settings.max_queue:
            return False
        rounds = waiting / self.workers + 1
        return rounds * self._seconds < self._settings.gateway_deadline_s - self._settings.gateway_reserve_s

    async def too_long(self) -> bool:
        """Whether what waits already is known to take longer than the deadline allows."""
        waiting = await self.queue_length()
        if not waiting or not self.workers:
            return False
        allowed = self._settings.gateway_deadline_s - self._settings.gateway_reserve_s
        return waiting / self.workers * self._seconds >= allowed

    async def watch(self) -> None:
        """Ask for ever."""
        while True:
            try:
                self._workers = await asyncio.to_thread(self._count_workers)
                self._asked = time.monotonic()
            except (redis.exceptions.RedisError, OSError) as error:
                log.warning("the workers could not be asked: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)
