"""The claim by which one process works on a challenge, and the reply to all callers that wait for it."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

import redis

from services.deadline import Deadline
from services.monitoring.metrics import count_queue_event
from services.redis_connection import connect
from services.settings import get_settings
from services.wire.reply import (
    REPLIED_CHANNEL,
    answer_key,
    cancelled_key,
    claim_key,
    content_key,
    joined_key,
    no_room_key,
    reply_key,
)
from tasks.identity import is_dead, process_name

log = logging.getLogger(__name__)

LEASE_S = 1.2
"""Seconds after which a claim lapses that its process no longer renews: four missed renewals. With the time
until that is noticed, a lost challenge is worked on again within two seconds."""
RENEWAL_S = 0.3
"""Seconds between two renewals of a claim."""
RETRY_S = 0.1
"""Seconds between two attempts to reach Redis with a reply."""

_CLAIM = """
if redis.call('EXISTS', KEYS[6]) == 1 then return 'cancelled' end
local answer = redis.call('GET', KEYS[2])
local holder = redis.call('GET', KEYS[1])
local content = redis.call('GET', KEYS[7])
if (answer or holder) and content and content ~= ARGV[6] then return 'another' end
if answer then
  redis.call('RPUSH', KEYS[4], answer)
  redis.call('EXPIRE', KEYS[4], ARGV[4])
  redis.call('DEL', KEYS[5])
  redis.call('PUBLISH', ARGV[8], ARGV[3])
  return 'answered'
end
if not holder or holder == ARGV[1] or holder == ARGV[5] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[7], ARGV[6], 'EX', ARGV[7])
  return 'claimed'
end
redis.call('SADD', KEYS[3], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return holder
"""

_RENEW = """
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('SCARD', KEYS[4]) == 0 then return -1 end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_PUBLISH = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local tokens = redis.call('SMEMBERS', KEYS[3])
tokens[#tokens + 1] = ARGV[1]
local seen = {}
for _, token in ipairs(tokens) do
  if not seen[token] then
    seen[token] = true
    redis.call('RPUSH', ARGV[4] .. token, ARGV[2])
    redis.call('EXPIRE', ARGV[4] .. token, ARGV[3])
    redis.call('DEL', ARGV[5] .. token)
    redis.call('PUBLISH', ARGV[7], token)
  end
end
if ARGV[6] == '1' then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) end
redis.call('DEL', KEYS[1], KEYS[3])
return 1
"""


class Claimed(enum.Enum):
    """What came of the attempt to claim a challenge."""

    MINE = "this process works on it"
    JOINED = "another process works on it; its reply goes to this caller too"
    ANSWERED = "it was answered before; the answer went to this caller"
    CANCELLED = "its caller no longer waits"
    ANOTHER = "its id belongs to a challenge with another content"


@lru_cache(maxsize=1)
def connection() -> redis.Redis:
    """The connection of this worker process, for all of its threads."""
    # redis-py has a 5 s time-out with retries by default; a reply is worth waiting for
    return connect(get_settings().broker_url, socket_timeout=30, health_check_interval=10)


_ENDS: Final = {
    "claimed": Claimed.MINE,
    "answered": Claimed.ANSWERED,
    "cancelled": Claimed.CANCELLED,
    "another": Claimed.ANOTHER,
}
"""What `_CLAIM` returns; anything else names the process that holds the challenge."""


def claim(challenge_id: str, token: str, content: str = "", seconds: float = 0.0) -> Claimed:
    """Make a challenge this process's own, unless it is answered or worked on: then the caller joins.

    A claim whose process is known to be dead is taken over; any other lapses when it is no longer renewed.

    Args:
        challenge_id: The challenge.
        token: Names the reply that the caller waits for.
        content: What it asks for; another challenge of the same id is told by it.
        seconds: Until its deadline.
    """
    keys = [make(challenge_id) for make in (claim_key, answer_key, joined_key)]
    keys += [reply_key(token), no_room_key(token), cancelled_key(token), content_key(challenge_id)]
    kept_s = get_settings().reply_ttl_s
    lost = ""
    while True:
        args: list[str | int] = [process_name(), int(LEASE_S * 1000), token, kept_s, lost]
        args += [content, kept_s + max(0, int(seconds)) + 1, REPLIED_CHANNEL]
        found = bytes(connection().eval(_CLAIM, len(keys), *keys, *args)).decode()
        if found in _ENDS:
            return _ENDS[found]
        if not is_dead(found):
            return Claimed.JOINED
        lost = found


class Lease:
    """Renews this process's claim of a challenge while it works on it; a context manager.

    A claim that lapsed while Redis was away, or while this process was stopped, is taken again if nobody else
    has it.

    Args:
        challenge_id: The challenge.
        token: Names the reply of the caller whose message is worked on.
        on_lost: Called, from another thread, when another process has the challenge, or nobody waits for it
            any more: work must end.

    Attributes:
        lost: Whether another process has it.
        cancelled: Whether nobody waits for it any more.
    """

    def __init__(self, challenge_id: str, token: str, on_lost: Callable[[], None]) -> None:
        self._keys = [make(challenge_id) for make in (claim_key, answer_key)]
        self._keys += [cancelled_key(token), joined_key(challenge_id)]
        self._on_lost = on_lost
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)
        self.lost = False
        self.cancelled = False

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # a renewal under way must not bring the claim back that the reply gives up
        self._thread.join(LEASE_S)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL_S):
            try:
                args = (process_name(), int(LEASE_S * 1000))
                held: Any = connection().eval(_RENEW, len(self._keys), *self._keys, *args)
                if held != 1:
                    self.lost, self.cancelled = held == 0, held == -1
                    self._on_lost()
                    return
            except (redis.exceptions.RedisError, OSError) as error:
                log.warning("a claim could not be renewed: %s", error)


def publish(challenge_id: str, token: str, data: bytes, *, keep: bool, until: Deadline | None = None) -> None:
    """Hand a reply to all who wait for a challenge, and give its claim up.

    Where Redis has no room for it, the caller gets the no-room reply that it left there when it submitted.

    Args:
        challenge_id: The challenge.
        token: Names the reply of the caller whose message was worked on.
        data: The reply.
        keep: Whether it is an answer, which later callers are to get as well.
        until: How long it is tried again while Redis is away; once only when not given.
    """
    while True:
        try:
            _publish(challenge_id, token, data, keep)
        except redis.exceptions.OutOfMemoryError as error:
            log.error("challenge %s: Redis has no room for the reply: %s", challenge_id, error)
            count_queue_event("undelivered")
            _send_no_room(challenge_id, token)
            return
        except (redis.exceptions.RedisError, OSError) as error:
            if until is None or until.remaining() < 0:
                log.error("challenge %s: the reply could not be delivered: %s", challenge_id, error)
                count_queue_event("undelivered")
                return
            time.sleep(RETRY_S)
        else:
            return


def try_to_publish(token: str, data: bytes, own: redis.Redis | None = None) -> None:
    """Hand a reply to one caller, if Redis takes it now; for errors of messages that were not worked on.

    Args:
        token: Names the reply.
        data: The reply.
        own: A connection to the server that it belongs to; the one of this process when not given.
    """
    try:
        with (own or connection()).pipeline(transaction=False) as pipe:
            pipe.rpush(reply_key(token), data)
            pipe.expire(reply_key(token), get_settings().reply_ttl_s)
            pipe.publish(REPLIED_CHANNEL, token)
            pipe.execute()
    except (redis.exceptions.RedisError, OSError) as error:
        log.error("an error reply could not be delivered: %s", error)
        count_queue_event("undelivered")


def _publish(challenge_id: str, token: str, data: bytes, keep: bool) -> None:
    keys = [make(challenge_id) for make in (claim_key, answer_key, joined_key)]
    args: list[Any] = [token, data, get_settings().reply_ttl_s, reply_key(""), no_room_key(""), int(keep)]
    args.append(REPLIED_CHANNEL)
    connection().eval(_PUBLISH, len(keys), *keys, *args)


def _send_no_room(challenge_id: str, token: str) -> None:
    """Move the no-room replies that the callers left to where they wait; a full server still allows that."""
    try:
        joined: Any = connection().smembers(joined_key(challenge_id))
        for waiting in {token, *(item.decode() for item in joined)}:
            if connection().exists(no_room_key(waiting)):
                connection().rename(no_room_key(waiting), reply_key(waiting))
                connection().publish(REPLIED_CHANNEL, waiting)
        connection().delete(claim_key(challenge_id), joined_key(challenge_id))
    except redis.exceptions.RedisError as error:
        log.error("challenge %s: the callers could not be told: %s", challenge_id, error)
