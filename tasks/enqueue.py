"""The Redis commands by which a challenge is enqueued and cancelled: the same for threads and event loops.

`ask`, `put` and `cancel` put commands into a pipeline, which their caller executes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from services.errors import QueueFull, QueueUnavailable
from services.settings import Settings
from services.wire.challenge import Challenge, another_content, content_digest
from services.wire.reply import (
    answer_key,
    cancelled_key,
    claim_key,
    content_key,
    joined_key,
    no_room_key,
    pack_error,
)
from tasks.capacity import CAPACITY_KEY, Capacity, read_capacity
from tasks.pending_challenge import PendingChallenge
from tasks.queue_message import encode_message
from tasks.redis_clock import by_own_clock, difference_of

NO_ROOM_S = 60
"""Seconds after the deadline for which the no-room reply of a challenge is kept."""
LEAST_S = 1.0
"""Seconds that a challenge needs when its turn has come: a worker plans coarser where little time is left."""
CANCELLED_S = 60
"""Seconds after its deadline for which it is known that a challenge was cancelled."""

log = logging.getLogger(__name__)


def ask(pipe: Any, challenge: Challenge, settings: Settings) -> float:
    """Ask for what `make_pending` needs to know before a challenge is enqueued; when that was asked."""
    pipe.llen(settings.queue_name)
    pipe.time()
    pipe.hgetall(CAPACITY_KEY)
    pipe.exists(claim_key(challenge.challenge_id))
    pipe.get(answer_key(challenge.challenge_id))
    pipe.get(content_key(challenge.challenge_id))
    return time.time()


def make_pending(
    challenge: Challenge,
    token: str,
    traceparent: str | None,
    settings: Settings,
    asked: float,
    found: Sequence[Any],
) -> PendingChallenge:
    """Prepare a challenge for the queue, if it has not been answered and can be in time.

    Args:
        challenge: With its times by this machine's clock.
        token: Names the reply.
        traceparent: The trace that it belongs to.
        settings: MAX_QUEUE.
        asked: What `ask` returned.
        found: What Redis answered.

    Raises:
        InvalidChallenge: The id belongs to a challenge with another content that is worked on or answered.
        QueueFull: MAX_QUEUE challenges are waiting, or what waits takes longer than its deadline.
    """
    waiting, now, records, claimed, answer, content = found
    difference = difference_of(now, asked, time.time())
    pending = PendingChallenge(by_own_clock(challenge, -difference), token, difference, traceparent)
    known = None if content is None or (answer is None and not claimed) else content.decode()
    if known is not None and known != content_digest(challenge):
        raise another_content(challenge)
    if answer is not None:
        pending.stored = answer
    elif not claimed:
        _check_capacity(int(waiting), read_capacity(records, now[0] + now[1] / 1e6), challenge, settings)
    return pending


def _check_capacity(waiting: int, capacity: Capacity, challenge: Challenge, settings: Settings) -> None:
    if waiting >= settings.max_queue:
        raise QueueFull(f"{waiting} challenges are waiting already (MAX_QUEUE)")
    wait_s, left_s = capacity.wait_s(waiting), challenge.deadline - time.time()
    if wait_s is not None and wait_s > max(0.0, left_s - LEAST_S):
        raise QueueFull(
            f"its turn would come in about {wait_s:.1f} s, and the deadline is in {left_s:.1f} s: "
            f"{waiting} challenges wait for {capacity.children} processes, at {capacity.seconds:.1f} s each"
        )


def put(pipe: Any, pending: PendingChallenge, settings: Settings) -> None:
    """Enqueue a challenge, unless its answer is stored.

    The no-room reply beside it is what a worker moves to the reply's place when Redis is too full for another
    one. As long as it is there, Redis has not lost its data.
    """
    if pending.stored is not None:
        return
    challenge, token, queue = pending.challenge, pending.token, settings.queue_name
    no_room = QueueUnavailable("Redis has no room for the answer (maxmemory)", stage="publish")
    key = no_room_key(token)
    pipe.rpush(key, pack_error(challenge.challenge_id, no_room))
    pipe.expireat(key, int(challenge.deadline + NO_ROOM_S))
    pending.message = encode_message(challenge, token, queue, pending.traceparent)
    pipe.lpush(queue, pending.message)


def put_again(pipe: Any, pending: PendingChallenge, settings: Settings) -> None:
    """Enqueue a challenge that Redis has lost."""
    log.warning("Redis has lost its data; challenge %s is enqueued again", pending.challenge.challenge_id)
    put(pipe, pending, settings)


def cancel(pipe: Any, challenge: Challenge, token: str, pending: PendingChallenge | None, queue: str) -> None:
    """Say that the caller of a challenge does not wait any more, and take it off the queue if it is there.

    Args:
        pipe: Takes the commands.
        challenge: With its times by this machine's clock.
        token: Names the caller's reply.
        pending: The challenge as it was enqueued; None where that is not known.
        queue: The queue.
    """
    pipe.srem(joined_key(challenge.challenge_id), token)
    # the mark stays a little longer than the challenge could
    pipe.set(cancelled_key(token), 1, ex=max(1, int(challenge.deadline - time.time() + CANCELLED_S)))
    if pending is not None and pending.message is not None:
        pipe.lrem(queue, 1, pending.message)


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
