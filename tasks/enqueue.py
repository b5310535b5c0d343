"""The Redis commands by which a challenge is enqueued and cancelled: the same for threads and event loops.

Each function puts commands into a pipeline, which its caller executes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.errors import QueueFull, QueueUnavailable
from services.settings import Settings
from services.wire.challenge import Challenge
from services.wire.reply import cancelled_key, joined_key, pack_error, refusal_key
from tasks.envelope import encode_message

REFUSAL_S = 60
"""Seconds after the deadline for which the refusal of a challenge is kept."""
CANCELLED_S = 60
"""Seconds after its deadline for which it is known that a challenge was cancelled."""


def look(pipe: Any, settings: Settings) -> None:
    """Ask for the length of the queue and for Redis's time."""
    pipe.llen(settings.queue_name)
    pipe.time()


def check_room(waiting: int, settings: Settings) -> None:
    """Check what `look` found.

    Raises:
        QueueFull: MAX_QUEUE challenges are waiting.
    """
    if waiting >= settings.max_queue:
        raise QueueFull(f"{waiting} challenges are waiting already (MAX_QUEUE)")


def put(
    pipe: Any, challenge: Challenge, token: str, settings: Settings, traceparent: str | None = None
) -> None:
    """Enqueue a challenge, whose times are by Redis's clock, as part of a trace if there is one.

    The refusal beside it is what a worker moves to the reply's place when Redis is too full for another one.
    As long as it is there, Redis has not lost its data.
    """
    refusal = QueueUnavailable("Redis has no room for the answer (maxmemory)", stage="publish")
    key = refusal_key(token)
    pipe.rpush(key, pack_error(challenge.challenge_id, refusal))
    pipe.expireat(key, int(challenge.deadline + REFUSAL_S))
    pipe.lpush(settings.queue_name, encode_message(challenge, token, settings.queue_name, traceparent))


def cancel(pipe: Any, challenge_id: str, token: str, deadline: float) -> None:
    """Say that the caller of that token does not wait any more; `deadline` is by this machine's clock."""
    pipe.srem(joined_key(challenge_id), token)
    # the mark stays a little longer than the challenge could
    pipe.set(cancelled_key(token), 1, ex=max(1, int(deadline - time.time() + CANCELLED_S)))


@contextmanager
def queue_errors(url: str) -> Iterator[None]:
    """Raise `QueueUnavailable` for what redis-py raises inside."""
    import redis

    from services.monitoring.redaction import redact

    try:
        yield
    except redis.exceptions.ResponseError as error:
        raise QueueUnavailable(f"Redis at {redact(url)} refuses the challenge: {error}") from error
    except (redis.exceptions.RedisError, OSError) as error:
        raise QueueUnavailable(f"Redis at {redact(url)} cannot be reached: {error}") from error
