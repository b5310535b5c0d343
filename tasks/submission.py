"""A challenge that was enqueued by `submit`, and the wait for its answer over a connection of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from services.errors import ChallengeError, DeadlineExceeded, QueueUnavailable
from services.settings import Settings
from services.timeline import with_result_wait
from services.wire.challenge import Challenge
from services.wire.reply import Answer, refusal_key, reply_key, unpack_reply
from tasks import enqueue
from tasks.redis_clock import by_own_clock, described, difference_of

if TYPE_CHECKING:
    import redis

GRACE_S = 0.25
"""Seconds: a worker gives up at the deadline; its error is worth this much more waiting."""
CONNECT_S = 2.0
"""Seconds for one attempt to connect to Redis."""
RECONNECT_S = 0.2
"""Seconds between two attempts to connect to Redis while an answer is waited for."""

log = logging.getLogger(__name__)


class Waiting:
    """What is known of an enqueued challenge to whoever waits for it.

    Args:
        challenge: With its times by Redis's clock.
        token: Names the reply.
        clock_difference: Seconds by which Redis's clock is ahead of this machine's.
        traceparent: The trace that the challenge belongs to.
    """

    def __init__(
        self, challenge: Challenge, token: str, clock_difference: float, traceparent: str | None = None
    ) -> None:
        self.challenge = challenge
        self.token = token
        self.traceparent = traceparent
        self.deadline = challenge.deadline - clock_difference
        self._clock_difference = clock_difference
        self._until = time.monotonic() + self.deadline - time.time()

    @property
    def keys(self) -> tuple[str, str]:
        """Of the reply, and of the refusal that is there as long as Redis has its data."""
        return reply_key(self.token), refusal_key(self.token)

    def left_s(self) -> float:
        """Seconds until nothing is waited for any more; never 0, which would mean for ever."""
        return max(0.01, self._until - time.monotonic() + GRACE_S)

    def is_over(self) -> bool:
        """Whether nothing is waited for any more."""
        return time.monotonic() > self._until + GRACE_S

    def pause_s(self, lost: Exception) -> float:
        """Seconds until the next attempt to reach Redis.

        Raises:
            QueueUnavailable: There is no time for one, or it would not help.
        """
        import redis

        if isinstance(lost, redis.exceptions.OutOfMemoryError):
            raise QueueUnavailable(f"Redis has no room for the answer: {lost}") from lost
        if time.monotonic() + RECONNECT_S > self._until + GRACE_S:
            raise QueueUnavailable(f"Redis went away while waiting for the answer: {lost}") from lost
        return RECONNECT_S

    def open(self, data: bytes | None) -> Answer:
        """The answer in a reply.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when there is no reply.
        """
        if data is None:
            raise DeadlineExceeded(
                f"no answer to challenge {self.challenge.challenge_id!r} before its deadline; "
                f"is a worker running?{described(self._clock_difference)}"
            )
        try:
            answer = unpack_reply(data)
        except ChallengeError as error:
            error.timeline = self._with_result_wait(error.timeline)
            raise
        return msgspec.structs.replace(answer, timeline=self._with_result_wait(answer.timeline))

    def _with_result_wait(self, timeline: dict[str, Any]) -> dict[str, Any]:
        received = time.time() + self._clock_difference
        whole = with_result_wait(timeline, received, self.challenge.submitted_at)
        if self.traceparent is not None:
            from services.monitoring.tracing import record_result_wait

            record_result_wait(whole, self.traceparent)
        return whole


class Submission:
    """A challenge that was enqueued. Await it, or call `wait()`, for its answer.

    A caller that is cancelled while it awaits, or interrupted while it waits, cancels the challenge.

    Attributes:
        challenge_id: The challenge's id.
        token: Names the reply in Redis.
        deadline: By this machine's clock, seconds since 1970.
    """

    def __init__(self, waiting: Waiting, redis_url: str, settings: Settings) -> None:
        self.challenge_id = waiting.challenge.challenge_id
        self.token = waiting.token
        self.deadline = waiting.deadline
        self._waiting = waiting
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
            enqueue.cancel(pipe, self.challenge_id, self.token, self.deadline)
            pipe.execute()

    def wait(self) -> Answer:
        """Wait in this thread. When the connection to Redis breaks, it is opened again.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when nothing came.
            QueueUnavailable: Redis was away when the deadline came, or has no room for the answer.
        """
        import redis

        lost: Exception | None = None
        reply, refusal = self._waiting.keys
        while True:
            # the time-out belongs to the command, not to the socket: redis-py would retry on the latter
            connection = redis.Redis.from_url(
                self._redis_url, socket_timeout=None, socket_connect_timeout=CONNECT_S, retry=None
            )
            try:
                if lost is not None and not connection.exists(reply, refusal):
                    self._enqueue_again(connection)
                data: Any = connection.blmove(reply, reply, self._waiting.left_s())  # type: ignore[arg-type]
                if data is not None:
                    connection.delete(reply, refusal)
                return self._waiting.open(data)
            except (redis.exceptions.RedisError, OSError) as error:
                lost = error
            except KeyboardInterrupt:
                self.cancel()
                raise
            finally:
                connection.close()
            time.sleep(self._waiting.pause_s(lost))

    async def _receive(self) -> Answer:
        import asyncio

        # the same in a thread would go on when this task is cancelled
        from tasks.shared_client import Client

        async with Client(self._redis_url) as client:
            try:
                return await client.receive(self._waiting)
            except asyncio.CancelledError:
                # in a thread of its own: this task is to end now
                await asyncio.shield(asyncio.to_thread(self.cancel))
                raise

    def _enqueue_again(self, connection: redis.Redis) -> None:
        """Redis has lost its data, and the challenge with it."""
        log.warning("Redis has lost its data; challenge %s is enqueued again", self.challenge_id)
        with connection.pipeline(transaction=False) as pipe:
            enqueue.put(pipe, self._waiting.challenge, self.token, self._settings, self._waiting.traceparent)
            pipe.execute()


@lru_cache(maxsize=8)
def shared_connection(url: str) -> redis.Redis:
    """The connection of this process for commands that do not wait."""
    import redis

    return redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=0.5)


def send(challenge: Challenge, token: str, redis_url: str, settings: Settings) -> Submission:
    """Enqueue a challenge, whose times are by this machine's clock.

    Raises:
        QueueFull: MAX_QUEUE challenges are waiting.
        QueueUnavailable: Redis cannot be reached.
        MissingExtra: OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra [tracing] is not installed.
    """
    from services.monitoring.tracing import submit_span

    with (
        submit_span(settings, challenge.challenge_id, challenge.kind) as traceparent,
        enqueue.queue_errors(redis_url),
        shared_connection(redis_url).pipeline(transaction=False) as pipe,
    ):
        before = time.time()
        enqueue.look(pipe, settings)
        waiting, now = pipe.execute()
        difference = difference_of(now, before, time.time())
        enqueue.check_room(waiting, settings)
        challenge = by_own_clock(challenge, -difference)
        enqueue.put(pipe, challenge, token, settings, traceparent)
        pipe.execute()
    return Submission(Waiting(challenge, token, difference, traceparent), redis_url, settings)
