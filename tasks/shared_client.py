"""Many challenges at a time on one event loop, over connections that they share.

One connection hears which replies have come; the others are a pool for short commands. A caller that waits
takes neither a thread nor a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from services.errors import QueueUnavailable
from services.monitoring.redaction import redact
from services.monitoring.tracing import submit_span
from services.redis_connection import connect_async
from services.settings import Settings, get_settings
from services.wire.challenge import Challenge, ChallengeFrame
from services.wire.progress import Progress, decode_progress, progress_channel
from services.wire.reply import REPLIED_CHANNEL, Answer
from tasks import enqueue
from tasks.challenge_arguments import make_challenge, make_token, queue_url
from tasks.pending_challenge import RECONNECT_S, PendingChallenge
from tasks.submission import CONNECT_S

if TYPE_CHECKING:
    import redis.asyncio

CONNECTIONS = 8
"""One that listens, and those for short commands: more would wait for the same server."""
TURN_S = 10.0
"""Seconds that a command waits for a connection at most."""
COMMAND_S = 2.0
"""Seconds for one short command."""
LAST_TURN_S = 1.5
"""Seconds behind the deadline that the last look for a reply may wait for its turn."""
AGAIN_S = 2.0
"""Seconds after which a task that goes on is cancelled again."""
FORGET_S = 0.1
"""Seconds for which replies that were received are collected before they are deleted together."""
LISTEN_S = 5.0
"""Seconds for which the connection that listens waits at a time. After that long a silence Redis is asked
whether it is there."""
CHECK_S = 1.0
"""Seconds after which a caller looks for its reply although nothing was heard: a connection may be dead."""

log = logging.getLogger(__name__)


class Client:
    """Submits challenges and receives their answers; an asynchronous context manager.

        async with Client() as client:
            answer = await client.submit(video_url, challenge_id="42")

    It belongs to the event loop in which it was entered.

    Args:
        redis_url: The Redis server; REDIS_URL when not given.
        settings: Queue, limits and served kinds; those of the environment when not given.

    Raises:
        SettingsError: The address is not supported.
    """

    def __init__(self, redis_url: str | None = None, settings: Settings | None = None) -> None:
        self._settings = settings or get_settings()
        self._url = queue_url(redis_url) if settings is None else redis_url or settings.broker_url
        self._replied: dict[str, asyncio.Event] = {}
        self._listeners: dict[str, Callable[[Progress], None]] = {}
        self._listening = asyncio.Event()
        self._tried = asyncio.Event()
        self._forgotten: list[str] = []
        self._deleting: set[asyncio.Task[None]] = set()
        self._redis: redis.asyncio.Redis | None = None
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # one more caller than connections waits for its turn
        self._redis = connect_async(
            self._url,
            max_connections=CONNECTIONS,
            turn_s=TURN_S,
            socket_timeout=COMMAND_S,
            socket_connect_timeout=CONNECT_S,
        )
        self._task = asyncio.create_task(self._listen(), name="touchline-replies")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._task is not None:
                # redis-py leaves a socket open when it is cancelled while it connects
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CONNECT_S):
                        await self._tried.wait()
        finally:
            # also where this is cancelled itself
            await self._close()

    async def _close(self) -> None:
        if self._task is not None:
            await _ended(self._task)
        await self._finish_deleting()
        if self._redis is not None:
            await self._redis.aclose()

    async def submit(
        self,
        video_url: str = "",
        *,
        frames: Sequence[ChallengeFrame | Mapping[str, Any]] = (),
        image_url: str = "",
        challenge_id: str | None = None,
        kind: str = "gsr",
        deadline_s: float | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """Enqueue a challenge and wait for its answer; a caller that is cancelled cancels the challenge.

        Args:
            video_url: Where the clip lies.
            frames: Pictures instead of a video, each with `frame_id` and `url` or `data`.
            image_url: Where one picture lies, instead.
            challenge_id: The validator's id; one is made when there is none.
            kind: The challenge kind; one of SERVED_KINDS, which the front end and the workers share.
            deadline_s: Seconds from now after which no answer is wanted; DEFAULT_DEADLINE_S when not given.
            on_progress: Called in the event loop with each stage that begins, as soon as this is known here;
                some may be missed.

        Raises:
            ChallengeError: With the type that the worker gave it, or as `tasks.client.submit` raises it.
        """
        import redis

        challenge = make_challenge(
            video_url=video_url,
            frames=frames,
            image_url=image_url,
            challenge_id=challenge_id,
            kind=kind,
            deadline_s=deadline_s,
            progress=on_progress is not None,
            settings=self._settings,
        )
        token = make_token()
        pending: PendingChallenge | None = None
        async with self._hearing(token, on_progress):
            try:
                with (
                    submit_span(self._settings, challenge.challenge_id, challenge.kind) as traceparent,
                    enqueue.queue_errors(self._url),
                ):
                    pending = await self._prepare(challenge, token, traceparent)
                    heard = self._listening.is_set()
                    try:
                        await self._put(pending)
                    except (redis.exceptions.RedisError, OSError):
                        # it may have been enqueued all the same, and nobody waits for it
                        await self._cancel(challenge, token, pending)
                        raise
                return await self.receive(pending, heard=heard)
            except asyncio.CancelledError:
                # it may have been enqueued, whether or not this is known here
                await asyncio.shield(self._cancel(challenge, token, pending))
                raise

    async def receive(self, pending: PendingChallenge, *, heard: bool = False) -> Answer:
        """Wait for the reply to a challenge that was enqueued.

        Args:
            pending: The challenge.
            heard: True if the connection that listens was up before the challenge was enqueued: the first
                look for the reply then waits until it is announced, or for CHECK_S.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when nothing came.
            QueueUnavailable: Redis was away when the deadline came, or has no room for the answer.
        """
        import redis

        if pending.stored is not None:
            return pending.open(pending.stored)
        replied = self._replied.setdefault(pending.token, asyncio.Event())
        cancelled = _cancellations()
        try:
            while True:
                if heard:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(replied.wait(), min(CHECK_S, pending.left_s()))
                heard = True
                _check_cancelled(cancelled)
                replied.clear()
                try:
                    async with asyncio.timeout(pending.left_s() + LAST_TURN_S):
                        data = await self._take(pending)
                    if data is not None or pending.is_over():
                        return pending.open(data)
                except (redis.exceptions.RedisError, OSError) as error:
                    await asyncio.sleep(pending.pause_s(error))
                    heard = False
        finally:
            self._replied.pop(pending.token, None)

    async def _prepare(self, challenge: Challenge, token: str, traceparent: str | None) -> PendingChallenge:
        cancelled = _cancellations()
        async with self._pipeline() as pipe:
            asked = enqueue.ask(pipe, challenge, self._settings)
            found = await pipe.execute()
        _check_cancelled(cancelled)
        return enqueue.make_pending(challenge, token, traceparent, self._settings, asked, found)

    async def _put(self, pending: PendingChallenge) -> None:
        cancelled = _cancellations()
        async with self._pipeline() as pipe:
            enqueue.put(pipe, pending, self._settings)
            await pipe.execute()
        _check_cancelled(cancelled)

    async def _take(self, pending: PendingChallenge) -> bytes | None:
        """The reply, if it is there; a challenge that Redis has lost is enqueued again."""
        reply, no_room = pending.keys
        async with self._pipeline() as pipe:
            pipe.lindex(reply, 0)
            pipe.exists(no_room)
            found: tuple[bytes | None, int] = await pipe.execute()
            data, there = found
            if data is not None:
                self._forget(reply, no_room)
            elif not there:
                enqueue.put_again(pipe, pending, self._settings)
                await pipe.execute()
        return data

    def _forget(self, *keys: str) -> None:
        """Delete keys soon, with those of other callers: an answer does not wait for that."""
        if not self._forgotten:
            task = asyncio.create_task(self._delete_forgotten(FORGET_S))
            self._deleting.add(task)
            task.add_done_callback(self._deleting.discard)
        self._forgotten += keys

    async def _delete_forgotten(self, after_s: float = 0.0) -> None:
        import redis

        await asyncio.sleep(after_s)
        keys, self._forgotten = self._forgotten, []
        if not keys:
            return
        try:
            async with self._pipeline() as pipe:
                pipe.unlink(*keys)
                await pipe.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            # they expire by themselves
            log.info("%d replies that were received could not be deleted: %s", len(keys), error)

    async def _finish_deleting(self) -> None:
        """Delete what waits for others now, and leave what is under way to its expiry."""
        await self._delete_forgotten()
        for task in tuple(self._deleting):
            await _ended(task)

    async def _cancel(self, challenge: Challenge, token: str, pending: PendingChallenge | None) -> None:
        import redis

        try:
            async with asyncio.timeout(COMMAND_S), self._pipeline() as pipe:
                enqueue.cancel(pipe, challenge, token, pending, self._settings.queue_name)
                await pipe.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            # the caller is gone: nobody is left to be told; TimeoutError is an OSError
            log.warning("challenge %s could not be cancelled: %s", challenge.challenge_id, error)

    @contextlib.asynccontextmanager
    async def _hearing(self, token: str, on_progress: Callable[[Progress], None] | None) -> Any:
        """Listen for the reply, and for the progress if it is wanted, from before the challenge is sent."""
        channel = progress_channel(token)
        self._replied[token] = asyncio.Event()
        if on_progress is not None:
            self._listeners[channel] = on_progress
        try:
            if on_progress is not None:
                await self._subscribe(channel)
            yield
        finally:
            self._replied.pop(token, None)
            if self._listeners.pop(channel, None) is not None:
                await self._unsubscribe(channel)

    async def _subscribe(self, channel: str) -> None:
        """Listen on a channel of progress; where that cannot be done now, `_listen` does when it connects."""
        import redis

        if self._listening.is_set():
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                await self._pubsub.subscribe(channel)

    async def _unsubscribe(self, channel: str) -> None:
        import redis

        if self._listening.is_set():
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                await self._pubsub.unsubscribe(channel)

    def _pipeline(self) -> Any:
        if self._redis is None:
            raise QueueUnavailable("the client is not open: `async with Client() as client:`")
        return self._redis.pipeline(transaction=False)

    async def _listen(self) -> None:
        """Hear which replies have come, over one connection, which is opened again when it breaks."""
        import redis

        assert self._redis is not None
        cancelled = _cancellations()
        while True:
            self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await self._hear_all(cancelled)
            except (redis.exceptions.RedisError, OSError) as error:
                if self._listening.is_set() or not self._tried.is_set():
                    log.warning("Redis at %s cannot be heard, trying again: %s", redact(self._url), error)
            except Exception:
                log.exception("what was heard from Redis cannot be understood")
            finally:
                self._tried.set()
                self._listening.clear()
                # nobody is to wait for what is no longer heard
                self._wake_all()
                await self._pubsub.aclose()
            _check_cancelled(cancelled)
            await asyncio.sleep(RECONNECT_S)

    async def _hear_all(self, cancelled: int) -> None:
        """Listen until the connection breaks or falls silent, or this task is cancelled."""
        import redis

        asked_for = set(self._listeners)
        await self._pubsub.subscribe(REPLIED_CHANNEL, *asked_for)
        self._tried.set()
        self._listening.set()
        if came_since := set(self._listeners) - asked_for:
            await self._pubsub.subscribe(*came_since)
        # what came before this connection, or while there was none
        self._wake_all()
        heard, asked = time.monotonic(), False
        while True:
            _check_cancelled(cancelled)
            message = await self._pubsub.get_message(timeout=LISTEN_S)
            quiet_s = time.monotonic() - heard
            if message is not None:
                heard, asked = time.monotonic(), False
                self._hear(message)
            elif asked and quiet_s > 2 * LISTEN_S:
                # nobody says that a connection is gone which a router has forgotten
                raise redis.exceptions.ConnectionError("the connection has fallen silent")
            elif not asked and quiet_s > LISTEN_S:
                await self._pubsub.ping()
                asked = True

    def _wake_all(self) -> None:
        for replied in self._replied.values():
            replied.set()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "pong":
            return
        channel, data = bytes(message["channel"]).decode(errors="replace"), bytes(message["data"])
        if channel == REPLIED_CHANNEL:
            if (replied := self._replied.get(data.decode(errors="replace"))) is not None:
                replied.set()
        elif (listener := self._listeners.get(channel)) is not None:
            try:
                listener(decode_progress(data))
            except msgspec.MsgspecError as error:
                log.warning("a message about progress cannot be read: %s", error)
            except Exception:
                # the caller's own function: its faults must not cost the other callers their replies
                log.exception("on_progress failed")


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: a cancellation can be swallowed (`_check_cancelled`)."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a task of the client failed", exc_info=error)


def _cancellations() -> int:
    """How often the current task was cancelled."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _check_cancelled(before: int) -> None:
    """Raise a cancellation that was swallowed, as `wait_for` of Python 3.11 does at times, also in redis-py.

    Args:
        before: What `_cancellations` returned before it could happen.
    """
    if _cancellations() > before:
        raise asyncio.CancelledError
