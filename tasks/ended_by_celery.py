"""Replies for challenges that end by Celery's own means: revoked, terminated, timed out, process lost.

The handlers run in the worker's parent; nobody else would answer.
"""

from __future__ import annotations

from typing import Any

from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.signals import task_failure, task_revoked

from services.errors import Cancelled, ChallengeError, WorkerLost
from services.monitoring.logs import log_challenge
from services.timeline import Timeline
from services.wire.reply import pack_error
from tasks import reply
from tasks.caller import Caller
from tasks.outcomes import tell
from tasks.queue_message import TASK_NAME


@task_failure.connect
def reply_lost(sender: Any = None, exception: BaseException | None = None, args: Any = (), **_: Any) -> None:
    """Answer the callers of a challenge whose process ended without a reply."""
    if getattr(sender, "name", None) != TASK_NAME:
        return
    if isinstance(exception, WorkerLostError):
        _end(args, WorkerLost(f"the worker process died while it worked on the challenge: {exception}"))
    elif isinstance(exception, TimeLimitExceeded):
        _end(args, Cancelled(f"Celery's time limit ended the work on the challenge: {exception}"))


@task_revoked.connect
def reply_revoked(sender: Any = None, request: Any = None, terminated: bool = False, **_: Any) -> None:
    """Answer the callers of a challenge that somebody revoked."""
    if getattr(sender, "name", None) != TASK_NAME:
        return
    if terminated:
        _end(request.args, Cancelled("the task was terminated while it was worked on"))
        return
    # another process may work on a challenge of that id: its claim stays
    challenge_id, token = _names(request.args)
    error = Cancelled("the task was revoked before it was worked on", stage="queue")
    reply.try_to_publish(token, pack_error(challenge_id, error))
    with log_challenge(challenge_id):
        tell(None, challenge_id, Timeline(), "error", error)


def _end(args: Any, error: ChallengeError) -> None:
    challenge_id, token = _names(args)
    caller = Caller(challenge_id, token)
    reply.publish(caller, pack_error(challenge_id, error), reply.Sort.ERROR, by_holder=False)
    with log_challenge(challenge_id):
        tell(None, challenge_id, Timeline(), "error", error)


def _names(args: Any) -> tuple[str, str]:
    """Challenge id and token of a message; it was checked when it came (tasks/queue_message.py)."""
    message, token = args
    return message["challenge_id"], token
