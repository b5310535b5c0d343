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
    again_key,
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
AGAIN_S = 1.0
"""Seconds that a caller who joined must have left for its challenge to be tried once more."""

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
if ARGV[9] == '1' then
  redis.call('SADD', KEYS[3], ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  if ARGV[10] ~= '' then redis.call('SET', KEYS[8], ARGV[10], 'PX', ARGV[11]) end
end
return holder
"""

_RENEW = """
if redis.call('EXISTS', KEYS[3]) == 1 and redis.call('SCARD', KEYS[4]) == 0 then return -1 end
local holder = redis.call('GET', KEYS[1])
local answer = redis.call('GET', KEYS[2])
local content = redis.call('GET', KEYS[5])
local another = content and ARGV[4] ~= '' and content ~= ARGV[4]
if holder and holder ~= ARGV[1] then
  if another then return 1 end
  redis.call('SADD', KEYS[4], ARGV[3])
  redis.call('EXPIRE', KEYS[4], ARGV[5])
  return 0
end
if not holder and answer then
  if another then return 1 end
  if redis.call('EXISTS', KEYS[6]) == 0 then
    redis.call('RPUSH', KEYS[6], answer)
    redis.call('EXPIRE', KEYS[6], ARGV[5])
    redis.call('DEL', KEYS[7])
    redis.call('PUBLISH', ARGV[7], ARGV[3])
  end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[4] ~= '' then redis.call('SET', KEYS[5], ARGV[4], 'EX', ARGV[6]) end
return 1
"""

_PUBLISH = """
local function send(token, data)
  redis.call('RPUSH', ARGV[4] .. token, data)
  redis.call('EXPIRE', ARGV[4] .. token, ARGV[3])
  redis.call('DEL', ARGV[5] .. token, ARGV[9] .. token)
  redis.call('PUBLISH', ARGV[7], token)
end
local own = ARGV[1]
local holder = redis.call('GET', KEYS[1])
local answer = redis.call('GET', KEYS[2])
local content = redis.call('GET', KEYS[4])
local taken = holder and ARGV[8] ~= '' and holder ~= ARGV[8]
if (answer or taken) and content and ARGV[10] ~= '' and content ~= ARGV[10] then
  send(own, ARGV[2])
  return 0
end
if answer then
  if redis.call('EXISTS', ARGV[4] .. own) == 0 then send(own, answer) end
  return 0
end
if taken and ARGV[6] == 'partial' then
  send(own, ARGV[2])
  return 0
end
if taken and ARGV[6] == 'error' then
  redis.call('SADD', KEYS[3], own)
  redis.call('EXPIRE', KEYS[3], ARGV[3])
  return 0
end
send(own, ARGV[2])
local put_back = 0
for _, token in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if token ~= own then
    local message = ARGV[11] == '1' and redis.call('GET', ARGV[9] .. token)
    if message then
      redis.call('DEL', ARGV[9] .. token)
      redis.call('RPUSH', ARGV[12], message)
      put_back = put_back + 1
    else
      send(token, ARGV[2])
    end
  end
end
if ARGV[6] == 'kept' then
  redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
  if ARGV[10] ~= '' then redis.call('SET', KEYS[4], ARGV[10], 'EX', ARGV[3] + 1) end
end
redis.call('DEL', KEYS[1], KEYS[3])
return put_back
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


def claim(
    challenge_id: str,
    token: str,
    content: str = "",
    seconds: float = 0.0,
    message: Callable[[], bytes] = bytes,
) -> Claimed:
    """Make a challenge this process's own, unless it is answered or worked on: then the caller joins.

    A claim whose process is known to be dead is taken over; any other lapses when it is no longer renewed.

    Args:
        challenge_id: The challenge.
        token: Names the reply that the caller waits for.
        content: What it asks for; another challenge of the same id is told by it.
        seconds: Until its deadline.
        message: Makes the message that is put on the queue if the challenge that was joined ends for a reason
            of its first caller's (`publish`) while this caller has time left.
    """
    keys = [make(challenge_id) for make in (claim_key, answer_key, joined_key)]
    keys += [reply_key(token), no_room_key(token), cancelled_key(token), content_key(challenge_id)]
    keys.append(again_key(token))
    kept_s = get_settings().reply_ttl_s
    again_ms = int((seconds - AGAIN_S) * 1000)
    lost, joins, again = "", False, b""
    while True:
        args: list[str | int | bytes] = [process_name(), int(LEASE_S * 1000), token, kept_s, lost]
        args += [content, _content_s(seconds), REPLIED_CHANNEL, int(joins), again, again_ms]
        found = bytes(connection().eval(_CLAIM, len(keys), *keys, *args)).decode()
        if found in _ENDS:
            return _ENDS[found]
        if is_dead(found):
            lost = found
        elif joins:
            return Claimed.JOINED
        else:
            # only now: it may have megabytes
            joins, again = True, message() if again_ms > 0 else b""


class Lease:
    """Renews this process's claim of a challenge while it works on it; a context manager.

    A claim that lapsed while Redis was away, or while this process was stopped, is taken again if nobody else
    has it. If another process has it, the caller joins there; if it has been answered, the caller gets that.

    Args:
        challenge_id: The challenge.
        token: Names the reply of the caller whose message is worked on.
        on_lost: Called, from another thread, when another process has the challenge, or nobody waits for it
            any more: work must end.
        content: What the challenge asks for, as `claim` was told.
        seconds: Until its deadline.

    Attributes:
        lost: Whether another process has it.
        cancelled: Whether nobody waits for it any more.
    """

    def __init__(
        self,
        challenge_id: str,
        token: str,
        on_lost: Callable[[], None],
        content: str = "",
        seconds: float = 0.0,
    ) -> None:
        self._keys = [make(challenge_id) for make in (claim_key, answer_key)]
        self._keys += [cancelled_key(token), joined_key(challenge_id), content_key(challenge_id)]
        self._keys += [reply_key(token), no_room_key(token)]
        self._args: list[str | int] = [
            token,
            content,
            get_settings().reply_ttl_s,
            _content_s(seconds),
            REPLIED_CHANNEL,
        ]
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
                args = (process_name(), int(LEASE_S * 1000), *self._args)
                held: Any = connection().eval(_RENEW, len(self._keys), *self._keys, *args)
                if held != 1:
                    self.lost, self.cancelled = held == 0, held == -1
                    self._on_lost()
                    return
            except (redis.exceptions.RedisError, OSError) as error:
                log.warning("a claim could not be renewed: %s", error)


def publish(
    challenge_id: str,
    token: str,
    data: bytes,
    *,
    keep: bool,
    partial: bool = False,
    until: Deadline | None = None,
    content: str = "",
    for_first_only: bool = False,
    by_holder: bool = True,
) -> None:
    """Hand a reply to all who wait for a challenge, and give its claim up.

    Where Redis has no room for it, the caller gets the no-room reply that it left there when it submitted. If
    another process has taken the challenge over, an error of this one is nobody's: the caller joins there.
    If the id belongs to a challenge with another content by now, the reply goes to this caller alone.

    Args:
        challenge_id: The challenge.
        token: Names the reply of the caller whose message was worked on.
        data: The reply.
        keep: Whether it is an answer that later callers are to get as well.
        partial: Whether it is an answer to a part of the clip; one that is neither is an error.
        until: How long it is tried again while Redis is away; once only when not given.
        content: What the challenge asks for, as `claim` was told; empty where that is not known.
        for_first_only: Whether it is as it is by reason of this caller's deadline, cancellation or address,
            perhaps: those who joined and have time left are put back on the queue instead.
        by_holder: Whether this process claimed the challenge; otherwise the one that did is lost.
    """
    while True:
        try:
            sort = "kept" if keep else "partial" if partial else "error"
            put_back = _publish(challenge_id, token, data, sort, content, for_first_only, by_holder)
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
            for _ in range(put_back):
                count_queue_event("retried")
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


def _publish(
    challenge_id: str,
    token: str,
    data: bytes,
    sort: str,
    content: str,
    for_first_only: bool,
    by_holder: bool,
) -> int:
    settings = get_settings()
    keys = [make(challenge_id) for make in (claim_key, answer_key, joined_key, content_key)]
    args: list[Any] = [token, data, settings.reply_ttl_s, reply_key(""), no_room_key(""), sort]
    args += [REPLIED_CHANNEL, process_name() if by_holder else "", again_key(""), content]
    args += [int(for_first_only), settings.queue_name]
    put_back: Any = connection().eval(_PUBLISH, len(keys), *keys, *args)
    return int(put_back)


def _content_s(seconds: float) -> int:
    """How long it has to be known what a challenge asks for that has so long until its deadline."""
    return get_settings().reply_ttl_s + max(0, int(seconds)) + 1


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
