"""A challenge that was enqueued by `submit`, and the wait for its answer over a connection of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from services.errors import QueueUnavailable
from services.redis_connection import connect
from services.settings import Settings
from services.wire.challenge import Challenge
from services.wire.reply import Answer
from tasks import enqueue
from tasks.pending_challenge import PendingChallenge
from tasks.redis_clock import by_own_clock

if TYPE_CHECKING:
    import redis

CONNECT_S = 2.0
"""Seconds for one attempt to connect to Redis."""
LOOK_S = 2.0
"""Seconds for which a thread waits for its reply at a time: then a connection that is dead is noticed."""
LATE_S = 1.0
"""Seconds that Redis gets to say that there is none yet."""

log = logging.getLogger(__name__)


class Submission:
    """A challenge that was enqueued. Await it, or call `wait()`, for its answer.

    A caller that is cancelled while it awaits, or interrupted while it waits, cancels the challenge.

    Attributes:
        challenge_id: The challenge's id.
        token: Names the reply in Redis.
        deadline: By this machine's clock, seconds since 1970.
    """

    def __init__(self, pending: PendingChallenge, redis_url: str, settings: Settings) -> None:
        self.challenge_id = pending.challenge.challenge_id
        self.token = pending.token
        self.deadline = pending.deadline
        self._pending = pending
        self._redis_url = redis_url
        self._settings = settings

    def __await__(self) -> Generator[Any, None, Answer]:
        return self._receive().__await__()

    def cancel(self) -> None:
        """Say that nobody waits for the answer: work on it ends, unless other callers wait for the same id.

        Raises:
            QueueUnavailable: Redis cannot be reached.
        """
        with (
            enqueue.queue_errors(self._redis_url),
            shared_connection(self._redis_url).pipeline(transaction=False) as pipe,
        ):
            challenge = by_own_clock(self._pending.challenge, self._pending.clock_difference)
            enqueue.cancel(pipe, challenge, self.token, self._pending, self._settings.queue_name)
            pipe.execute()

    def wait(self) -> Answer:
        """Wait in this thread. When the connection to Redis breaks, it is opened again.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when nothing came.
            QueueUnavailable: Redis was away when the deadline came, or has no room for the answer.
        """
        try:
            return self._wait()
        except KeyboardInterrupt:
            self._give_up()
            raise

    def _wait(self) -> Answer:
        import redis

        pending = self._pending
        if pending.stored is not None:
            return pending.open(pending.stored)
        lost: Exception | None = None
        reply, no_room = pending.keys
        while True:
            connection = connect(
                self._redis_url,
                socket_timeout=min(LOOK_S, pending.left_s()) + LATE_S,
                socket_connect_timeout=CONNECT_S,
                retry=None,
            )
            try:
                if lost is not None and not connection.exists(reply, no_room):
                    with connection.pipeline(transaction=False) as pipe:
                        enqueue.put_again(pipe, pending, self._settings)
                        pipe.execute()
                while True:
                    over = pending.is_over()
                    data: Any = connection.blmove(reply, reply, min(LOOK_S, pending.left_s()))  # type: ignore[arg-type]
                    if data is not None:
                        # it expires by itself, too
                        with suppress(redis.exceptions.RedisError, OSError):
                            connection.delete(reply, no_room)
                    if data is not None or over:
                        return pending.open(data)
            except (redis.exceptions.RedisError, OSError) as error:
                lost = error
            finally:
                connection.close()
            time.sleep(pending.pause_s(lost))

    def _give_up(self) -> None:
        """Cancel the challenge of a caller that has gone: nobody is left to be told that Redis is away."""
        try:
            self.cancel()
        except QueueUnavailable as error:
            log.warning("challenge %s could not be cancelled: %s", self.challenge_id, error)

    async def _receive(self) -> Answer:
        import asyncio

        # the same in a thread would go on when this task is cancelled
        from tasks.shared_client import Client

        async with Client(self._redis_url) as client:
            try:
                return await client.receive(self._pending)
            except asyncio.CancelledError:
                # in a thread of its own: this task is to end now
                await asyncio.shield(asyncio.to_thread(self._give_up))
                raise


@lru_cache(maxsize=8)
def shared_connection(url: str) -> redis.Redis:
    """The connection of this process for commands that do not wait."""
    return connect(url, socket_timeout=2.0, socket_connect_timeout=0.5)


def send(challenge: Challenge, token: str, redis_url: str, settings: Settings) -> Submission:
    """Enqueue a challenge, whose times are by this machine's clock.

    Raises:
        InvalidChallenge: The id belongs to a challenge with another content that is worked on or answered.
        QueueFull: MAX_QUEUE challenges are waiting, or what waits takes longer than its deadline.
        QueueUnavailable: Redis cannot be reached.
        MissingExtra: OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra [tracing] is not installed.
    """
    from services.monitoring.tracing import submit_span

    with (
        submit_span(settings, challenge.challenge_id, challenge.kind) as traceparent,
        enqueue.queue_errors(redis_url),
        shared_connection(redis_url).pipeline(transaction=False) as pipe,
    ):
        asked = enqueue.ask(pipe, challenge, settings)
        found: Any = pipe.execute()
        pending = enqueue.make_pending(challenge, token, traceparent, settings, asked, found)
        enqueue.put(pipe, pending, settings)
        pipe.execute()
    return Submission(pending, redis_url, settings)
