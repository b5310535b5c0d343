"""Whether a clip is answered in time, and twice the same: spot checks compare both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from services.errors import ChallengeError
from services.preflight.finding import Finding, failed, ok
from services.settings import Settings
from tasks.client import submit

_OWN: Final = ("challenge_id", "processing_time")
"""Fields that differ between two answers to one clip."""


def check_answers(settings: Settings, video_url: str, kind: str) -> Iterator[Finding]:
    """Have a clip answered twice, through the queue.

    Args:
        settings: Redis, and the time that validators wait.
        video_url: The clip.
        kind: The challenge kind.
    """
    answers, seconds = [], []
    limit = settings.gateway_deadline_s - settings.gateway_reserve_s
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
            yield failed(
                "answered in time", text, "see docs/reference/errors.md; `touchline doctor` tells more"
            )
            return
        seconds.append(time.monotonic() - started)
        answers.append(_content(answer.body))
    yield ok("answered in time", f"after {seconds[0]:.1f} and {seconds[1]:.1f} s; {limit:g} s are allowed")
    if answers[0] == answers[1]:
        yield ok("answered twice the same", "to the byte, apart from id and time")
    else:
        yield failed(
            "answered twice the same",
            "two answers to the same clip differ",
            "take out TIME_BUDGET_S and a plug-in's randomness: a spot check that scores otherwise fails",
        )


def _content(body: bytes) -> Any:
    decoded = json.loads(body)
    return {name: value for name, value in decoded.items() if name not in _OWN}
