"""Stands for workers where a test needs only that they are there: the records that theirs would keep."""

from __future__ import annotations

import time

import msgspec
import redis

from tasks.capacity import CAPACITY_KEY, WorkerCapacity

LONG_S = 3600.0
"""Seconds for which such a record stays fresh."""


def announce_worker(
    redis_url: str, children: int = 1, busy: int = 0, seconds: float | None = None, name: str = "stand-in"
) -> None:
    """Write the record of a worker that takes challenges."""
    record = WorkerCapacity(time.time() + LONG_S, children, busy, seconds)
    with redis.Redis.from_url(redis_url) as client:
        client.hset(CAPACITY_KEY, name, msgspec.json.encode(record).decode())
