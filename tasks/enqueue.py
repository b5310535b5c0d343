"""The Redis commands by which a challenge is enqueued and cancelled: the same for threads and event loops.

`ask`, `put` and `cancel` put commands into a pipeline, which their caller executes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.errors import QueueFull, QueueUnavailable
from services.settings import Settings
from services.wire.challenge import Challenge
from services.wire.reply import cancelled_key, joined_key, no_room_key, pack_error
from tasks.pending_challenge import PendingChallenge
from tasks.queue_message import encode_message
from tasks.redis_clock import by_own_clock, difference_of

NO_ROOM_S = 60
"""Seconds after the deadline for which the no-room reply of a challenge is kept."""
CANCELLED_S = 60
"""Seconds after its deadline for which it is known that a challenge was cancelled."""

log = logging.getLogger(__name__)


def ask(pipe: Any, settings: Settings) -> float:
    """Ask for what `make_pending` needs: the length of the queue and Redis's time; when that was asked."""
    pipe.llen(settings.queue_name)
    pipe.time()
    return time.time()


def make_pending(
    challenge: Challenge,
    token: str,
    traceparent: str | None,
    settings: Settings,
    asked: float,
    found: tuple[int, tuple[int, int]],
) -> PendingChallenge:
    """Prepare a challenge for the queue, if the queue has room for it.

    Args:
        challenge: With its times by this machine's clock.
        token: Names the reply.
        traceparent: The trace that it belongs to.
        settings: MAX_QUEUE.
        asked: What `ask` returned.
        found: What Redis answered.

    Raises:
        QueueFull: MAX_QUEUE challenges are waiting.
    """
    waiting, now = found
    difference = difference_of(now, asked, time.time())
    if waiting >= settings.max_queue:
        raise QueueFull(f"{waiting} challenges are waiting already (MAX_QUEUE)")
    return PendingChallenge(by_own_clock(challenge, -difference), token, difference, traceparent)


def put(pipe: Any, pending: PendingChallenge, settings: Settings) -> None:
    """Enqueue a challenge.

    The no-room reply beside it is what a worker moves to the reply's place when Redis is too full for another
    one. As long as it is there, Redis has not lost its data.
    """
    challenge, token, queue = pending.challenge, pending.token, settings.queue_name
    no_room = QueueUnavailable("Redis has no room for the answer (maxmemory)", stage="publish")
    key = no_room_key(token)
    pipe.rpush(key, pack_error(challenge.challenge_id, no_room))
    pipe.expireat(key, int(challenge.deadline + NO_ROOM_S))
    pipe.lpush(queue, encode_message(challenge, token, queue, pending.traceparent))


def put_again(pipe: Any, pending: PendingChallenge, settings: Settings) -> None:
    """Enqueue a challenge that Redis has lost."""
    log.warning("Redis has lost its data; challenge %s is enqueued again", pending.challenge.challenge_id)
    put(pipe, pending, settings)


def cancel(pipe: Any, pending: PendingChallenge) -> None:
    """Say that the caller of a challenge does not wait any more."""
    pipe.srem(joined_key(pending.challenge.challenge_id), pending.token)
    # the mark stays a little longer than the challenge could
    left_s = int(pending.deadline - time.time() + CANCELLED_S)
    pipe.set(cancelled_key(pending.token), 1, ex=max(1, left_s))


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
