"""The task: decode the message, run the pipeline, hand the bytes back. All else is elsewhere."""

from __future__ import annotations

import faulthandler
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import redis

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.errors import (
    Cancelled,
    ChallengeError,
    DeadlineExceeded,
    DeviceLost,
    QueueUnavailable,
    SourceRejected,
    TooLarge,
)
from services.monitoring.logs import log_challenge
from services.monitoring.metrics import count_queue_event
from services.monitoring.outcome import Result
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.challenge import (
    Challenge,
    another_content,
    check_kind,
    content_digest,
    parse_challenge,
)
from services.wire.reply import pack_answer, pack_error
from tasks import claims, reply
from tasks.caller import Caller
from tasks.celery_app import app
from tasks.claims import Claimed, Lease
from tasks.outcomes import tell
from tasks.progress import progress_told
from tasks.queue_message import TASK_NAME, encode_message
from tasks.redis_clock import by_own_clock, clock_difference, described
from tasks.worker_redis import connection

log = logging.getLogger(__name__)

MAX_SUMMARY = 8192
"""Characters of a summary with the timeline of the longest challenge kind, three times over."""
HUNG_S = 5.0
"""Seconds behind its deadline after which a challenge that does not end costs its process: a device or a
decoder hangs, and the next challenge is worth a new one."""

FOR_FIRST_ONLY = (DeadlineExceeded, Cancelled, SourceRejected)
"""Errors that need not befall others who wait for the same id: they may have more time, or an address that
was signed later."""


@app.task(
    name=TASK_NAME,
    bind=True,
    # a killed child costs one more try, at once, while the deadline allows; a poison clip does not loop
    retry_on_worker_lost=True,
    max_retries=1,
    default_retry_delay=0,
    # a typed error is an outcome, not a crash: no stack trace in the log
    throws=(ChallengeError,),
    # the whole timeline travels in Celery's event, for Flower's page of the task
    resultrepr_maxsize=MAX_SUMMARY,
)
def answer(self: Any, message: dict[str, Any], token: str) -> dict[str, Any]:
    """Answer one challenge.

    Args:
        self: The bound Celery task.
        message: A `Challenge` as a mapping.
        token: Names the list that the reply goes to.

    Returns:
        Stage times in milliseconds, small enough for Flower's task table. The answer itself travels apart.
    """
    with log_challenge(_name_of(message)):
        # a message without the header has no such attribute
        traceparent = getattr(self.request, "traceparent", None)
        return _answer(message, token, int(self.request.retries), traceparent)


def _answer(message: dict[str, Any], token: str, retries: int, traceparent: str | None) -> dict[str, Any]:
    timeline = Timeline()
    challenge: Challenge | None = None
    caller, difference = Caller("", token), 0.0
    claimed = False
    lease: Lease | None = None
    until: Deadline | None = None
    try:
        with timeline.span("message"):
            challenge = parse_challenge(message)
            check_kind(challenge.kind, get_settings().served_kinds)
        if retries:
            timeline.note(retries=retries)
            count_queue_event("retried")
        with timeline.span("claim"), _claiming():
            difference = clock_difference(connection())
            caller = _caller(challenge, token, difference)
            outcome = _claim(caller, challenge, traceparent)
        challenge = by_own_clock(challenge, difference)
        until = Deadline.from_epoch(challenge.deadline)
        timeline.add_clock_difference(difference)
        claimed = outcome is Claimed.MINE
        if not claimed:
            result: Result = "joined" if outcome is Claimed.JOINED else "answered"
            return tell(challenge, challenge.challenge_id, timeline, result, traceparent=traceparent)
        scope = CancelScope()
        told = progress_told(timeline, token) if challenge.progress else nullcontext()
        with Lease(caller, scope.cancel) as lease, told:
            data = _work(challenge, timeline, scope)
    except ChallengeError as error:
        if challenge is not None and lease is not None and lease.lost:
            return tell(challenge, challenge.challenge_id, timeline, "given_up", traceparent=traceparent)
        if difference and isinstance(error, DeadlineExceeded):
            error = DeadlineExceeded(f"{error}{described(difference)}", stage=error.stage)
        error.timeline = timeline.to_dict()
        name = challenge.challenge_id if challenge else _name_of(message)
        data = pack_error(name, error, error.timeline)
        if claimed and challenge is not None:
            for_first_only = isinstance(error, FOR_FIRST_ONLY)
            reply.publish(caller, data, reply.Sort.ERROR, until=until, for_first_only=for_first_only)
        else:
            # another process may work on a challenge of that id: its claim stays
            reply.try_to_publish(token, data)
        tell(challenge, name, timeline, "error", error, traceparent)
        if isinstance(error, DeviceLost):
            from tasks.lifecycle import replace_process

            replace_process()
        raise error
    with timeline.span("publish"):
        facts = timeline.to_dict()["facts"]
        partial = bool(facts.get("partial"))
        # TIME_BUDGET_S ends the work for everybody
        by_deadline = partial and until.remaining() < claims.AGAIN_S
        sort = reply.Sort.PARTIAL if by_deadline or "broke_off" in facts else reply.Sort.ANSWER
        reply.publish(caller, data, sort, until=until, for_first_only=by_deadline)
    result = "partial" if partial else "complete"
    return tell(challenge, challenge.challenge_id, timeline, result, traceparent=traceparent)


@contextmanager
def _claiming() -> Iterator[None]:
    """Map Redis's errors while a challenge is claimed."""
    try:
        yield
    except (redis.exceptions.RedisError, OSError) as error:
        raise QueueUnavailable(f"the challenge could not be claimed: {error}") from error


def _caller(challenge: Challenge, token: str, difference: float) -> Caller:
    seconds = challenge.deadline - difference - time.time()
    return Caller(challenge.challenge_id, token, content_digest(challenge), seconds)


def _claim(caller: Caller, challenge: Challenge, traceparent: str | None) -> Claimed:
    def message() -> bytes:
        return encode_message(challenge, caller.token, get_settings().queue_name, traceparent)

    outcome = claims.claim(caller, message)
    if outcome is Claimed.CANCELLED:
        raise Cancelled("the caller did not wait for it any more when its turn came", stage="queue")
    if outcome is Claimed.ANOTHER:
        raise another_content(challenge)
    return outcome


def _name_of(message: Any) -> str:
    """The id in a message that may be anything."""
    return str(message.get("challenge_id", "")) if isinstance(message, dict) else ""


def _work(challenge: Challenge, timeline: Timeline, scope: CancelScope) -> bytes:
    from services.pipeline.runner import run_challenge
    from tasks.lifecycle import load_process_state, note_outcome, set_busy

    set_busy(True)
    answered, began = False, time.monotonic()
    left = max(0.0, Deadline.from_epoch(challenge.deadline).remaining())
    # its thread is none of Python's: it also ends a process that hangs with the interpreter's lock held
    faulthandler.dump_traceback_later(left + HUNG_S, exit=True, file=sys.stderr)
    try:
        data = pack_answer(run_challenge(challenge, load_process_state(), timeline, scope))
        answered = True
        return data
    except ChallengeError:
        raise
    except MemoryError as error:
        raise TooLarge(
            f"answering takes more memory than MEMORY_HEADROOM_MB={get_settings().memory_headroom_mb} allows",
            stage="worker",
        ) from error
    except Exception as error:
        log.exception("unexpected failure")
        raise ChallengeError(f"unexpected {type(error).__name__}: {error}", stage="worker") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
        set_busy(False)
        note_outcome(answered=answered, seconds=time.monotonic() - began)
