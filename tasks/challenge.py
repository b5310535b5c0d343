"""The task: decode the message, run the pipeline, hand the bytes back. All else is elsewhere."""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from celery.exceptions import WorkerLostError
from celery.signals import task_failure

from services.errors import ChallengeError, DeviceLost, QueueUnavailable, WorkerLost
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.challenge import Challenge, check_kind, parse_challenge
from services.wire.reply import pack_answer, pack_error
from tasks import reply
from tasks.celery_app import app
from tasks.envelope import TASK_NAME
from tasks.events import stage_summary
from tasks.reply import Claimed, Lease

log = logging.getLogger(__name__)


@app.task(
    name=TASK_NAME,
    bind=True,
    # a killed child costs one more try, at once, while the deadline allows; a poison clip does not loop
    retry_on_worker_lost=True,
    max_retries=1,
    default_retry_delay=0,
    # a typed error is an outcome, not a crash: no stack trace in the log
    throws=(ChallengeError,),
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
    timeline = Timeline()
    challenge: Challenge | None = None
    claimed = False
    try:
        with timeline.span("message"):
            challenge = parse_challenge(message)
            check_kind(challenge.kind, get_settings().served_kinds)
        if self.request.retries:
            timeline.note(retries=self.request.retries)
        with timeline.span("claim"):
            outcome = _claim(challenge, token)
        claimed = outcome is Claimed.MINE
        if not claimed:
            log.info("challenge %s: %s", challenge.challenge_id, outcome.value)
            return {outcome.name.lower(): True}
        with Lease(challenge.challenge_id):
            data = _work(challenge, timeline)
    except ChallengeError as error:
        error.timeline = timeline.to_dict()
        name = challenge.challenge_id if challenge else _name_of(message)
        log.warning("challenge %s failed in %s: %s: %s", name, error.stage, type(error).__name__, error)
        data = pack_error(name, error, error.timeline)
        if claimed and challenge is not None:
            reply.publish(name, token, data, until=challenge.deadline, keep=False)
        else:
            # another process may work on a challenge of that id: its claim stays
            reply.try_to_publish(token, data)
        if isinstance(error, DeviceLost):
            from tasks.lifecycle import replace_process

            replace_process()
        raise
    with timeline.span("publish"):
        reply.publish(challenge.challenge_id, token, data, until=challenge.deadline, keep=True)
    summary = stage_summary(timeline.to_dict())
    log.info("challenge %s answered: %s", challenge.challenge_id, summary)
    return summary


def _claim(challenge: Challenge, token: str) -> Claimed:
    try:
        return reply.claim(challenge.challenge_id, token)
    except (redis.exceptions.RedisError, OSError) as error:
        raise QueueUnavailable(f"the challenge could not be claimed: {error}") from error


def _name_of(message: Any) -> str:
    """The id in a message that may be anything."""
    return str(message.get("challenge_id", "")) if isinstance(message, dict) else ""


def _work(challenge: Challenge, timeline: Timeline) -> bytes:
    from services.pipeline.runner import run_challenge
    from tasks.lifecycle import load_runtime, note_outcome, set_busy

    set_busy(True)
    answered = False
    try:
        data = pack_answer(run_challenge(challenge, load_runtime(), timeline))
        answered = True
        return data
    except ChallengeError:
        raise
    except Exception as error:
        log.exception("challenge %s: unexpected failure", challenge.challenge_id)
        raise ChallengeError(f"unexpected {type(error).__name__}: {error}", stage="worker") from error
    finally:
        set_busy(False)
        note_outcome(answered=answered)


@task_failure.connect
def _reply_worker_lost(
    sender: Any = None, task_id: str = "", exception: BaseException | None = None, args: Any = (), **_: Any
) -> None:
    """Runs in the worker's parent when a child died for good: nobody else would answer."""
    if getattr(sender, "name", None) != TASK_NAME or not isinstance(exception, WorkerLostError):
        return
    message, token = args
    name = _name_of(message)
    error = WorkerLost(f"the worker process died while it worked on the challenge: {exception}")
    reply.publish(name, token, pack_error(name, error), until=time.time(), keep=False)
