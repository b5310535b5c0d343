"""Whether a clip is answered in time, and twice the same: spot checks compare both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Final

from services.errors import ChallengeError
from services.frame_plan import COARSER_MARK
from services.preflight.finding import Finding, failed, ok, unknown
from services.settings import Settings
from services.wire.spot_check import compared_part
from tasks.client import submit

_IN_TIME: Final = "answered in time"
_SAME: Final = "answered twice the same"


def check_answers(settings: Settings, video_url: str | None, kind: str) -> Iterator[Finding]:
    """Have a clip answered twice, through the queue.

    Args:
        settings: Redis, and the time that validators wait.
        video_url: The clip; without one nothing is asked.
        kind: The challenge kind.
    """
    if video_url is None:
        for check in (_IN_TIME, _SAME):
            yield unknown(check, "no clip was given", "name one with --video URL")
        return
    answers, seconds = [], []
    limit = settings.answer_within_s
    for number in range(2):
        started = time.monotonic()
        try:
            answer = submit(
                video_url,
                challenge_id=f"preflight-{time.time_ns()}-{number}",
                kind=kind,
                deadline_s=limit,
                redis_url=settings.redis_url,
            ).wait()
        except ChallengeError as error:
            text = f"{type(error).__name__}: {error}"
            yield failed(_IN_TIME, text, "see docs/reference/errors.md; `touchline doctor` tells more")
            yield unknown(_SAME, "there is no answer to compare", "mend what fails first")
            return
        seconds.append(time.monotonic() - started)
        plan = str(answer.timeline.get("facts", {}).get("plan", ""))
        if answer.partial or plan.endswith(COARSER_MARK):
            text = f"the answer is not the whole one, for want of time ({plan or 'partial'})"
            yield failed(
                _IN_TIME,
                text,
                "another machine answers otherwise: make this one faster, or raise FRAME_STRIDE",
            )
            yield unknown(_SAME, "the answer is not the whole one", "mend what fails first")
            return
        answers.append(compared_part(json.loads(answer.body)))
    yield ok(_IN_TIME, f"after {seconds[0]:.1f} and {seconds[1]:.1f} s; {limit:g} s are allowed")
    if answers[0] == answers[1]:
        yield ok(
            _SAME,
            "apart from id and time; a machine with another device may still differ: set DEVICE and RUNTIME",
        )
    else:
        yield failed(
            _SAME,
            "two answers to the same clip differ",
            "take out TIME_BUDGET_S and a plug-in's randomness: a spot check that scores otherwise fails",
        )
