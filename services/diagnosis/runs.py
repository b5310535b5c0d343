"""One run over the pool: the download alone, or the whole challenge."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from services.cancellation import CancelScope
from services.challenges.kinds import ServedKinds
from services.deadline import Deadline
from services.download.download import Download
from services.download.pool import ConnectionPool
from services.errors import ChallengeError
from services.pipeline.runner import ProcessState, run_challenge
from services.settings import Settings
from services.timeline import Timeline
from services.wire.challenge import Challenge


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        timeline: `Timeline.to_dict()`.
        error: Why it failed; None when it did not.
    """

    timeline: dict[str, Any]
    error: ChallengeError | None = None

    @property
    def total_s(self) -> float:
        """Seconds from the start to the answer, or to the last byte where only the download is measured."""
        return float(self.timeline["total"])


def run_once(
    url: str, pool: ConnectionPool, settings: Settings, kinds: ServedKinds | None, deadline_s: float
) -> Run:
    """Answer the clip or, without kinds, download it.

    Args:
        url: The clip.
        pool: The connections; those that it has open are used.
        settings: As a worker has them, except that the pool is always used.
        kinds: What answers, the first kind does; None: only download.
        deadline_s: Seconds after which the run is given up.
    """
    timeline = Timeline()
    try:
        if kinds is None:
            _download(url, pool, settings, timeline, deadline_s)
        else:
            now = time.time()
            challenge = Challenge(
                challenge_id=f"diagnose-{uuid.uuid4().hex[:8]}",
                video_url=url,
                kind=next(iter(kinds.kinds)),
                deadline=now + deadline_s,
                submitted_at=now,
            )
            shared = settings.model_copy(update={"use_connection_pool": True})
            run_challenge(challenge, ProcessState(pool, kinds, shared), timeline)
    except ChallengeError as error:
        return Run(timeline.to_dict(), error)
    return Run(timeline.to_dict())


def _download(
    url: str, pool: ConnectionPool, settings: Settings, timeline: Timeline, deadline_s: float
) -> None:
    scope = CancelScope()
    download = Download(pool, url, settings, Deadline.after(deadline_s), scope, timeline)
    try:
        download.start().wait_complete()
    finally:
        scope.cancel()
        download.join(1.0)
