"""The task: decode the message, run the pipeline, hand the bytes back. All else is elsewhere."""

from __future__ import annotations

import logging
from typing import Any

from celery.exceptions import WorkerLostError
from celery.signals import task_failure

from services.errors import ChallengeError, DeviceLost, InvalidChallenge, WorkerLost
from services.settings import get_settings
from services.timeline import Timeline
from services.wire.challenge import Challenge, check_kind, parse_challenge
from services.wire.reply import pack_answer, pack_error
from tasks import reply
from tasks.celery_app import TASK_NAME, app
from tasks.events import stage_summary

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
        challenge = parse_challenge(message)
        check_kind(challenge.kind, get_settings().served_kinds)
        claimed = reply.claim(challenge.challenge_id, self.request.id)
        if not claimed:
            raise InvalidChallenge(f"challenge {challenge.challenge_id!r} is being, or was, answered already")
        data = _work(challenge, timeline)
    except ChallengeError as error:
        error.timeline = timeline.to_dict()
        name = challenge.challenge_id if challenge else _name_of(message)
        log.warning("challenge %s failed in %s: %s: %s", name, error.stage, type(error).__name__, error)
        if claimed:
            reply.release(name)
        reply.publish(token, pack_error(name, error, error.timeline))
        if isinstance(error, DeviceLost):
            from tasks.lifecycle import replace_process

            replace_process()
        raise
    with timeline.span("publish"):
        reply.publish(token, data)
    summary = stage_summary(timeline.to_dict())
    log.info("challenge %s answered: %s", challenge.challenge_id, summary)
    return summary


def _name_of(message: Any) -> str:
    """The id in a message that may be anything."""
    return str(message.get("challenge_id", "")) if isinstance(message, dict) else ""


def _work(challenge: Challenge, timeline: Timeline) -> bytes:
    from services.pipeline.runner import run_challenge
    from tasks.lifecycle import load_runtime, set_busy

    set_busy(True)
    try:
        return pack_answer(run_challenge(challenge, load_runtime(), timeline))
    except ChallengeError:
        raise
    except Exception as error:
        log.exception("challenge %s: unexpected failure", challenge.challenge_id)
        raise ChallengeError(f"unexpected {type(error).__name__}: {error}", stage="worker") from error
    finally:
        set_busy(False)


@task_failure.connect
def _reply_for_the_dead(
    sender: Any = None, task_id: str = "", exception: BaseException | None = None, args: Any = (), **_: Any
) -> None:
    """Runs in the worker's parent when a child died for good: nobody else would answer."""
    if getattr(sender, "name", None) != TASK_NAME or not isinstance(exception, WorkerLostError):
        return
    message, token = args
    name = _name_of(message)
    error = WorkerLost(f"the worker process died while it worked on the challenge: {exception}")
    reply.publish(token, pack_error(name, error))
    reply.release(name)
