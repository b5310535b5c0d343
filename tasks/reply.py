"""The reply to all callers that wait for a challenge."""

from __future__ import annotations

import enum
import logging
import time
from typing import Any, Final

import redis

from services.deadline import Deadline
from services.monitoring.metrics import count_queue_event
from services.settings import get_settings
from services.wire.reply import REPLIED_CHANNEL, claim_key, joined_key, no_room_key, reply_key
from tasks.caller import Caller, CallerScript
from tasks.worker_redis import connection

log = logging.getLogger(__name__)

RETRY_S = 0.1
"""Seconds between two attempts to reach Redis with a reply."""

_PUBLISH: Final = CallerScript("""
local own = given.token
local answer, holder = redis.call('GET', key.answer), redis.call('GET', key.claim)
local content = redis.call('GET', key.content)
local taken = holder and given.by_holder and holder ~= given.process
if (answer or taken) and content and given.content ~= '' and content ~= given.content then
  send(own, data)
  return 0
end
if answer then
  if redis.call('EXISTS', key.reply) == 0 then send(own, answer) end
  return 0
end
if taken and given.sort == 'partial' then
  send(own, data)
  return 0
end
if taken and given.sort == 'error' then
  join()
  return 0
end
send(own, data)
local put_back = 0
for _, token in ipairs(redis.call('SMEMBERS', key.joined)) do
  if token ~= own then
    local message = given.for_first_only and redis.call('GET', prefix.again .. token)
    if message then
      redis.call('DEL', prefix.again .. token)
      redis.call('RPUSH', given.queue, message)
      put_back = put_back + 1
    else
      send(token, data)
    end
  end
end
if given.sort == 'answer' then
  redis.call('SET', key.answer, data, 'EX', given.reply_s)
  if given.content ~= '' then redis.call('SET', key.content, given.content, 'EX', given.reply_s + 1) end
end
redis.call('DEL', key.claim, key.joined)
return put_back
""")


class Sort(enum.Enum):
    """What a reply brings."""

    ANSWER = "answer"
    """An answer that later callers are to get as well."""
    PARTIAL = "partial"
    """An answer to a part of the clip, which is not kept: a later caller may get more."""
    ERROR = "error"
    """An error."""


def publish(
    caller: Caller,
    data: bytes,
    sort: Sort,
    *,
    until: Deadline | None = None,
    for_first_only: bool = False,
    by_holder: bool = True,
) -> None:
    """Hand a reply to all who wait for a challenge, and give its claim up.

    Where Redis has no room for it, the caller gets the no-room reply that it left there when it submitted. If
    another process has taken the challenge over, an error of this one is nobody's: the caller joins there.
    If the id belongs to a challenge with another content by now, the reply goes to this caller alone.

    Args:
        caller: Whose message was worked on.
        data: The reply.
        sort: What it brings.
        until: How long it is tried again while Redis is away; once only when not given.
        for_first_only: Whether it may be what it is for a reason of this caller's: its deadline, cancellation
            or address. Those who joined and have time left are put back on the queue instead.
        by_holder: Whether this process claimed the challenge; otherwise the one that did is lost.
    """
    while True:
        try:
            put_back = _publish(caller, data, sort, for_first_only=for_first_only, by_holder=by_holder)
        except redis.exceptions.OutOfMemoryError as error:
            log.error("challenge %s: Redis has no room for the reply: %s", caller.challenge_id, error)
            count_queue_event("undelivered")
            _send_no_room(caller)
            return
        except (redis.exceptions.RedisError, OSError) as error:
            if until is None or until.remaining() < 0:
                log.error("challenge %s: the reply could not be delivered: %s", caller.challenge_id, error)
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


def _publish(caller: Caller, data: bytes, sort: Sort, *, for_first_only: bool, by_holder: bool) -> int:
    """Number of callers that were put back on the queue."""
    return int(
        _PUBLISH.run(
            caller,
            data,
            by_holder=by_holder,
            sort=sort.value,
            for_first_only=for_first_only,
            queue=get_settings().queue_name,
        )
    )


def _send_no_room(caller: Caller) -> None:
    """Move the no-room replies that the callers left to where they wait; a full server still allows that."""
    try:
        joined: Any = connection().smembers(joined_key(caller.challenge_id))
        for token in {caller.token, *(item.decode() for item in joined)}:
            if connection().exists(no_room_key(token)):
                connection().rename(no_room_key(token), reply_key(token))
                connection().publish(REPLIED_CHANNEL, token)
        connection().delete(claim_key(caller.challenge_id), joined_key(caller.challenge_id))
    except redis.exceptions.RedisError as error:
        log.error("challenge %s: the callers could not be told: %s", caller.challenge_id, error)
