"""What a miner's front end imports: submit a challenge, await its answer.

    from tasks.client import submit

    answer = await submit("https://...mp4", challenge_id="42")
    return Response(answer.body, media_type="application/json")

It needs the base installation only: no torch, OpenCV, numpy or server. Importing it is cheap: Celery,
redis and the settings are imported by the first `submit`. Failures are raised as the typed errors of
`services.errors`.
"""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from services.errors import (
    ChallengeError,
    DeadlineExceeded,
    InvalidChallenge,
    QueueFull,
    QueueUnavailable,
    TooLarge,
)
from services.timeline import with_result_wait
from services.wire.challenge import Challenge, ChallengeFrame, check_challenge, check_kind
from services.wire.reply import (
    Answer,
    cancelled_key,
    joined_key,
    pack_error,
    refusal_key,
    reply_key,
    unpack_reply,
)
from tasks.redis_clock import by_own_clock, clock_difference, described

if TYPE_CHECKING:
    import redis
    from celery import Celery

log = logging.getLogger(__name__)

__all__ = [
    "Answer",
    "ChallengeFrame",
    "Submission",
    "submit",
]

GRACE_S = 0.25
"""Seconds: a worker gives up at the deadline; its error is worth this much more waiting."""
CONNECT_S = 2.0
"""Seconds for one attempt to connect to Redis."""
TOKEN_BYTES = 10
"""Random bytes of the name of a reply: 80 bits."""
CANCELLED_S = 60
"""Seconds after its deadline for which it is known that a challenge was cancelled."""
RECONNECT_S = 0.2
"""Seconds between two attempts to connect to Redis while an answer is waited for."""


class Submission:
    """A challenge that was enqueued. Await it, or call `wait()`, for its answer.

    A caller that is cancelled while it awaits, or interrupted while it waits, cancels the challenge.

    Attributes:
        challenge_id: The challenge's id.
        token: Names the reply in Redis.
        deadline: By this machine's clock, seconds since 1970.
    """

    def __init__(
        self, challenge: Challenge, token: str, redis_url: str, clock_difference: float = 0.0
    ) -> None:
        self._challenge = challenge
        self.challenge_id = challenge.challenge_id
        self.token = token
        self.deadline = challenge.deadline - clock_difference
        self._until = time.monotonic() + self.deadline - time.time()
        self._submitted_at = challenge.submitted_at
        self._clock_difference = clock_difference
        self._redis_url = redis_url

    def __await__(self) -> Generator[Any, None, Answer]:
        return self._receive().__await__()

    def cancel(self) -> None:
        """Say that nobody waits for the answer: work on it ends, unless other callers wait for the same id.

        Raises:
            QueueUnavailable: Redis cannot be reached.
        """
        import redis

        try:
            with _plain(self._redis_url).pipeline(transaction=False) as pipe:
                # the mark stays a little longer than the challenge could
                pipe.srem(joined_key(self.challenge_id), self.token)
                kept_s = max(1, int(self.deadline - time.time() + CANCELLED_S))
                pipe.set(cancelled_key(self.token), 1, ex=kept_s)
                pipe.execute()
        except (redis.exceptions.RedisError, OSError) as error:
            raise QueueUnavailable(f"the challenge could not be cancelled: {error}") from error

    def wait(self) -> Answer:
        """Wait in this thread. When the connection to Redis breaks, it is opened again.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when nothing came.
            QueueUnavailable: Redis was away when the deadline came, or has no room for the answer.
        """
        import redis

        lost: Exception | None = None
        while True:
            # the time-out belongs to the command, not to the socket: redis-py would retry on the latter
            connection = redis.Redis.from_url(
                self._redis_url, socket_timeout=None, socket_connect_timeout=CONNECT_S, retry=None
            )
            try:
                key = reply_key(self.token)
                if lost is not None and not connection.exists(key, refusal_key(self.token)):
                    self._enqueue_again()
                data: Any = connection.blmove(key, key, self._left())  # type: ignore[arg-type]
                if data is not None:
                    connection.delete(key, refusal_key(self.token))
                return self._open(data)
            except (redis.exceptions.RedisError, OSError) as error:
                lost = error
            except KeyboardInterrupt:
                self.cancel()
                raise
            finally:
                connection.close()
            time.sleep(self._pause(lost))

    async def _receive(self) -> Answer:
        import asyncio

        import redis.asyncio

        lost: Exception | None = None
        while True:
            connection = redis.asyncio.Redis.from_url(
                self._redis_url, socket_timeout=None, socket_connect_timeout=CONNECT_S, retry=None
            )
            try:
                key = reply_key(self.token)
                if lost is not None and not await connection.exists(key, refusal_key(self.token)):
                    await asyncio.to_thread(self._enqueue_again)
                data: Any = await connection.blmove(key, key, self._left())  # type: ignore[arg-type]
                if data is not None:
                    await connection.delete(key, refusal_key(self.token))
                return self._open(data)
            except (redis.exceptions.RedisError, OSError) as error:
                lost = error
            except asyncio.CancelledError:
                # in a thread of its own: this task is to end now
                await asyncio.shield(asyncio.to_thread(self.cancel))
                raise
            finally:
                await connection.aclose()
            await asyncio.sleep(self._pause(lost))

    def _enqueue_again(self) -> None:
        """Redis has lost its data, and the challenge with it: what was left there at submission is gone."""
        import kombu.exceptions
        import redis

        log.warning("Redis has lost its data; challenge %s is enqueued again", self.challenge_id)
        try:
            _enqueue(self._redis_url, self._challenge, self.token)
        except kombu.exceptions.OperationalError as error:
            raise redis.exceptions.ConnectionError(str(error)) from error

    def _pause(self, lost: Exception) -> float:
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

    def _left(self) -> float:
        # 0 would mean for ever
        return max(0.01, self._until - time.monotonic() + GRACE_S)

    def _open(self, data: bytes | None) -> Answer:
        if data is None:
            raise DeadlineExceeded(
                f"no answer to challenge {self.challenge_id!r} before its deadline; is a worker running?"
                + described(self._clock_difference)
            )
        received = time.time() + self._clock_difference
        try:
            answer = unpack_reply(data)
        except ChallengeError as error:
            error.timeline = with_result_wait(error.timeline, received, self._submitted_at)
            raise
        return msgspec.structs.replace(
            answer, timeline=with_result_wait(answer.timeline, received, self._submitted_at)
        )


def submit(
    video_url: str = "",
    *,
    frames: Sequence[ChallengeFrame | Mapping[str, Any]] = (),
    image_url: str = "",
    challenge_id: str | None = None,
    kind: str = "gsr",
    deadline_s: float | None = None,
    redis_url: str | None = None,
) -> Submission:
    """Enqueue a challenge; takes a few milliseconds.

    Args:
        video_url: Where the clip lies.
        frames: Pictures instead of a video, each with `frame_id` and `url` or `data`.
        image_url: Where one picture lies, instead.
        challenge_id: The validator's id; one is made when there is none.
        kind: The challenge kind; one of SERVED_KINDS, which the front end and the workers share.
        deadline_s: Seconds from now after which no answer is wanted; DEFAULT_DEADLINE_S when not given.
        redis_url: The Redis server; REDIS_URL when not given.

    Raises:
        InvalidChallenge: The arguments are no challenge.
        TooLarge: The frames have more bytes than MAX_VIDEO_MB allows.
        UnsupportedKind: The kind is not served here; nothing was sent.
        QueueFull: MAX_QUEUE challenges are waiting.
        QueueUnavailable: Redis cannot be reached.
    """
    _check_types(
        video_url=(video_url, str),
        image_url=(image_url, str),
        challenge_id=(challenge_id, str | None),
        kind=(kind, str),
        deadline_s=(deadline_s, int | float | None),
        redis_url=(redis_url, str | None),
    )
    import kombu.exceptions
    import redis

    from services.monitoring.redaction import redact
    from services.settings import get_settings

    settings = get_settings()
    url = settings.broker_url if redis_url is None else _checked(redis_url)
    now = time.time()
    seconds = settings.default_deadline_s if deadline_s is None else deadline_s
    challenge = Challenge(
        challenge_id=challenge_id if challenge_id is not None else uuid.uuid4().hex,
        video_url=video_url,
        frames=_frames(frames),
        image_url=image_url,
        kind=kind,
        deadline=now + seconds,
        submitted_at=now,
    )
    check_challenge(challenge)
    size = sum(len(frame.data or "") for frame in challenge.frames) * 3 / 4
    if size > settings.max_video_mb * 1_000_000:
        raise TooLarge(
            f"the frames have {size:.0f} bytes; MAX_VIDEO_MB allows {settings.max_video_mb}", stage="accept"
        )
    check_kind(kind, settings.served_kinds)
    # nobody can guess it, and Flower's table has room for it
    token = secrets.token_hex(TOKEN_BYTES)
    try:
        waiting = int(_plain(url).llen(settings.queue_name))
        if waiting >= settings.max_queue:
            raise QueueFull(f"{waiting} challenges are waiting already (MAX_QUEUE)")
        difference = clock_difference(_plain(url))
        challenge = by_own_clock(challenge, -difference)
        _enqueue(url, challenge, token)
    except redis.exceptions.ResponseError as error:
        raise QueueUnavailable(f"Redis at {redact(url)} refuses the challenge: {error}") from error
    except (redis.exceptions.RedisError, kombu.exceptions.OperationalError, OSError) as error:
        raise QueueUnavailable(f"Redis at {redact(url)} cannot be reached: {error}") from error
    return Submission(challenge, token, url, difference)


def _check_types(**arguments: tuple[object, Any]) -> None:
    """Refuse arguments of other types than the signature has, by name."""
    for name, (value, wanted) in arguments.items():
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidChallenge(f"{name}={value!r:.80} is of the wrong type: {type(value).__name__}")
        if isinstance(value, str) and not value.isascii():
            try:
                # half a surrogate pair is text to Python, and no text to JSON
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidChallenge(f"{name}={value!r:.80} is not valid Unicode: {error}") from error


def _frames(frames: Sequence[ChallengeFrame | Mapping[str, Any]]) -> tuple[ChallengeFrame, ...]:
    if not isinstance(frames, list | tuple):
        raise InvalidChallenge(f"frames must be a list, not {type(frames).__name__}")
    try:
        return tuple(
            frame if isinstance(frame, ChallengeFrame) else msgspec.convert(frame, ChallengeFrame)
            for frame in frames
        )
    except msgspec.ValidationError as error:
        raise InvalidChallenge(f"not a frame: {error}") from error


def _enqueue(url: str, challenge: Challenge, token: str) -> None:
    from services.settings import get_settings
    from tasks.envelope import TASK_NAME

    _leave_refusal(_plain(url), challenge, token)
    _app(url).send_task(
        TASK_NAME,
        args=[msgspec.to_builtins(challenge), token],
        task_id=token,
        queue=get_settings().queue_name,
        # a front end must not hang for 20 s of retries while Redis is down
        retry=False,
        ignore_result=True,
    )


def _leave_refusal(connection: redis.Redis, challenge: Challenge, token: str) -> None:
    """Leave the reply that a worker moves to its place when Redis is too full for another one."""
    refusal = QueueUnavailable("Redis has no room for the answer (maxmemory)", stage="publish")
    key = refusal_key(token)
    with connection.pipeline(transaction=False) as pipe:
        pipe.rpush(key, pack_error(challenge.challenge_id, refusal))
        pipe.expireat(key, int(challenge.deadline + 60))
        pipe.execute()


@lru_cache(maxsize=8)
def _checked(url: str) -> str:
    from services.settings import load_settings

    return load_settings(redis_url=url).broker_url


@lru_cache(maxsize=8)
def _plain(url: str) -> redis.Redis:
    import redis

    return redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=0.5)


@lru_cache(maxsize=8)
def _app(url: str) -> Celery:
    from services.settings import load_settings
    from tasks.celery_app import make_app

    return make_app(load_settings(redis_url=url))
