"""The latest challenges, kept in Redis for views that show all workers together; bounded."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import msgspec
import redis

log = logging.getLogger(__name__)

KEY: Final = "touchline:recent"
KEPT: Final = 50
"""Challenges that are kept: what a page shows."""
KEPT_S: Final = 7 * 86_400
"""Seconds after the latest challenge for which they are kept."""


class Recent(msgspec.Struct, frozen=True):
    """One challenge that has ended.

    Attributes:
        at: When it ended, in seconds since 1970.
        worker: The host that worked on it.
        summary: As in Celery's events: id, kind, result, error, stages in milliseconds.
    """

    at: float
    worker: str
    summary: dict[str, Any]


def remember(connection: redis.Redis, worker: str, summary: dict[str, Any]) -> None:
    """Put a challenge in front of the list."""
    try:
        with connection.pipeline(transaction=False) as pipe:
            pipe.lpush(KEY, msgspec.json.encode(Recent(time.time(), worker, summary)))
            pipe.ltrim(KEY, 0, KEPT - 1)
            pipe.expire(KEY, KEPT_S)
            pipe.execute()
    except (redis.exceptions.RedisError, OSError) as error:
        log.info("the challenge is missing from the list of recent ones: %s", error)


def decode_recent(items: list[bytes]) -> list[Recent]:
    """The challenges of the list, the latest first; what another version wrote is left out."""
    found = []
    for item in items:
        try:
            found.append(msgspec.json.decode(item, type=Recent))
        except msgspec.MsgspecError:
            continue
    return found
