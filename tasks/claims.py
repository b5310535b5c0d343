"""The claim by which one process works on a challenge, while further callers of it join."""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import redis

from services.settings import get_settings
from tasks.caller import Caller, CallerScript
from tasks.identity import is_dead

log = logging.getLogger(__name__)

LEASE_S = 1.2
"""Seconds after which a claim lapses that its process no longer renews: four missed renewals. With the time
until that is noticed, a lost challenge is worked on again within two seconds."""
RENEWAL_S = 0.3
"""Seconds between two renewals of a claim."""
AGAIN_S = 1.0
"""Seconds that a caller who joined must have left for its challenge to be tried once more."""

_CLAIM: Final = CallerScript("""
if redis.call('EXISTS', key.cancelled) == 1 then return 'cancelled' end
local answer, holder = redis.call('GET', key.answer), redis.call('GET', key.claim)
local content = redis.call('GET', key.content)
if (answer or holder) and content and content ~= given.content then return 'another' end
if answer then
  send(given.token, answer)
  return 'answered'
end
if not holder or holder == given.process or holder == given.lost then
  redis.call('SET', key.claim, given.process, 'PX', given.lease_ms)
  redis.call('SET', key.content, given.content, 'EX', given.content_s)
  return 'claimed'
end
if given.joins then
  join()
  if data ~= '' then redis.call('SET', key.again, data, 'PX', given.again_ms) end
end
return holder
""")

_RENEW: Final = CallerScript("""
if redis.call('EXISTS', key.cancelled) == 1 and redis.call('SCARD', key.joined) == 0 then
  return 'cancelled'
end
local answer, holder = redis.call('GET', key.answer), redis.call('GET', key.claim)
local content = redis.call('GET', key.content)
local another = content and given.content ~= '' and content ~= given.content
if holder and holder ~= given.process then
  if another then return 'held' end
  join()
  return 'lost'
end
if not holder and answer then
  if another then return 'held' end
  if redis.call('EXISTS', key.reply) == 0 then send(given.token, answer) end
  return 'lost'
end
redis.call('SET', key.claim, given.process, 'PX', given.lease_ms)
if given.content ~= '' then redis.call('SET', key.content, given.content, 'EX', given.content_s) end
return 'held'
""")


class Claimed(enum.Enum):
    """What came of the attempt to claim a challenge."""

    MINE = "this process works on it"
    JOINED = "another process works on it; its reply goes to this caller too"
    ANSWERED = "it was answered before; the answer went to this caller"
    CANCELLED = "its caller no longer waits"
    ANOTHER = "its id belongs to a challenge with another content"


_ENDS: Final = {
    b"claimed": Claimed.MINE,
    b"answered": Claimed.ANSWERED,
    b"cancelled": Claimed.CANCELLED,
    b"another": Claimed.ANOTHER,
}
"""What `_CLAIM` returns; anything else names the process that holds the challenge."""


def claim(caller: Caller, message: Callable[[], bytes] = bytes) -> Claimed:
    """Make a challenge this process's own, unless it is answered or worked on: then the caller joins.

    A claim whose process is known to be dead is taken over; any other lapses when it is no longer renewed.

    Args:
        caller: Whose message is worked on.
        message: Makes the message that is put on the queue if the challenge that was joined ends for a reason
            of its first caller's (`publish`) while this caller has time left.
    """
    again_ms = int((caller.seconds - AGAIN_S) * 1000)
    lost, joins, again = "", False, b""
    while True:
        found = _CLAIM.run(caller, again, **_given(caller), lost=lost, joins=joins, again_ms=again_ms)
        if found in _ENDS:
            return _ENDS[found]
        holder = bytes(found).decode()
        if is_dead(holder):
            lost = holder
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
        caller: Whose message is worked on.
        on_lost: Called, from another thread, when another process has the challenge, or nobody waits for it
            any more: work must end.

    Attributes:
        lost: Whether another process has it.
        cancelled: Whether nobody waits for it any more.
    """

    def __init__(self, caller: Caller, on_lost: Callable[[], None]) -> None:
        self._caller = caller
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
        given = _given(self._caller)
        while not self._ended.wait(RENEWAL_S):
            try:
                found = _RENEW.run(self._caller, **given)
            except (redis.exceptions.RedisError, OSError) as error:
                log.warning("a claim could not be renewed: %s", error)
                continue
            if found != b"held":
                self.lost, self.cancelled = found == b"lost", found == b"cancelled"
                self._on_lost()
                return


def _given(caller: Caller) -> dict[str, Any]:
    """What both scripts are called with."""
    # until the answer is no longer kept that may come as late as its deadline
    content_s = get_settings().reply_ttl_s + max(0, int(caller.seconds)) + 1
    return {"lease_ms": int(LEASE_S * 1000), "content_s": content_s}
