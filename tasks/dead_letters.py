"""Messages that were set aside: a bounded list in Redis for an operator to look at."""

from __future__ import annotations

import time

import msgspec
import redis

DEAD_LETTERS_KEY = "touchline:dead-letters"
KEPT = 100
"""Newest messages that are kept; garbage must not fill Redis."""
SHOWN_BYTES = 2_000
"""Bytes of a message that are kept: enough to see who sent it."""
KEPT_S = 7 * 86_400
"""Seconds without a further one after which the list goes: a week."""


class DeadLetter(msgspec.Struct, frozen=True):
    """One message that was set aside.

    Attributes:
        reason: What was wrong with it.
        at: Wall-clock time, seconds since 1970.
        queue: Where it lay.
        size: Its bytes.
        message: The first of them, as text; bytes that are none are shown as escapes.
    """

    reason: str
    at: float
    queue: str
    size: int
    message: str


def set_aside(client: redis.Redis, queue: str, data: bytes, reason: str) -> None:
    """Keep a message with its reason, and forget the oldest where there are too many.

    Raises:
        redis.exceptions.RedisError: Redis is away, or full.
    """
    shown = data[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
    letter = DeadLetter(reason, time.time(), queue, len(data), shown)
    with client.pipeline(transaction=False) as pipe:
        pipe.lpush(DEAD_LETTERS_KEY, msgspec.json.encode(letter))
        pipe.ltrim(DEAD_LETTERS_KEY, 0, KEPT - 1)
        pipe.expire(DEAD_LETTERS_KEY, KEPT_S)
        pipe.execute()


def list_dead_letters(client: redis.Redis) -> list[DeadLetter]:
    """The messages that were set aside, the newest first."""
    return [msgspec.json.decode(item, type=DeadLetter) for item in client.lrange(DEAD_LETTERS_KEY, 0, -1)]
