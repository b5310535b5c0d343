"""Ours, from the URL to the answer's bytes."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

from touchline_lab.benchmarks.job import Context, Job, Row

SHORT_INTERVAL_S = 1.5
"""Touches of the origin when an hour's idle is played in seconds: below the port's time-out of 5 s."""
SHORT_IDLE_S = 7.0
"""More than that time-out: a connection that nobody keeps warm is gone by then."""


class Ours:
    """`run_challenge` with a pool of its own for every run.

    Attributes:
        deadline_s: Of each challenge.

    Args:
        context: Origin and device.
        warm: Whether the connection is opened, and left alone for a while, before the clock starts.
    """

    deadline_s = 120.0

    def __init__(self, context: Context, *, warm: bool) -> None:
        self.settings = context.settings()
        self.warm = warm
        self.kinds = self._load()

    def _load(self) -> Any:
        from services.challenges.kinds import serve
        from services.pipeline.warm import warm

        kinds = serve(self.settings)
        warm(kinds, self.settings)
        return kinds

    def run(self, job: Job) -> Row:
        """Answer the clip."""
        from services.download.pool import ConnectionPool

        pool = ConnectionPool(self.settings)
        try:
            if self.warm:
                pool.warmup(job.url)
                time.sleep(job.idle_s)
            return self.answer(pool, job.url)
        finally:
            pool.close()

    def answer(self, pool: Any, url: str) -> Row:
        """One challenge on this pool, with the clock running."""
        from services.pipeline.runner import Runtime, run_challenge
        from services.timeline import Timeline
        from services.wire.challenge import Challenge

        now = time.time()
        challenge = Challenge(
            challenge_id="bench", video_url=url, deadline=now + self.deadline_s, submitted_at=now
        )
        timeline = Timeline()
        begin = time.perf_counter()
        answer = run_challenge(challenge, Runtime(pool, self.kinds, self.settings), timeline)
        total = time.perf_counter() - begin
        return row_of(timeline.to_dict(), total, answer.body) | {"partial": float(answer.partial)}

    def close(self) -> None:
        """Nothing is kept."""


class OursFrames(Ours):
    """Ours, warm, with models that find nothing at once: what downloading and decoding take by themselves."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, warm=True)

    def _load(self) -> Any:
        from services.challenges.kinds import serve
        from services.inference.models import Models

        return serve(self.settings, lambda name, settings: Models(_Blind(), None, "cpu"))


class OursIdle(Ours):
    """Ours after an hour's idle, in seconds: the origin gives up after 5, which keep-warm prevents."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, warm=True)

    def run(self, job: Job) -> Row:
        from services.download.keep_warm import KeepWarm
        from services.download.pool import ConnectionPool

        pool = ConnectionPool(self.settings)
        keep = KeepWarm(pool, (job.short_url,), SHORT_INTERVAL_S, lambda: False)
        keep.start()
        try:
            # on a long way it takes seconds until all that is kept warm is open
            time.sleep(SHORT_IDLE_S + 3 * job.idle_s)
            keep.stop()
            # the last touch must not lie right before the challenge
            time.sleep(job.idle_s)
            return self.answer(pool, job.short_url)
        finally:
            pool.close()


class OursDeadline(Ours):
    """Ours with a deadline, on one pool that is kept, for links that go bad."""

    deadline_s = 12.0

    def __init__(self, context: Context) -> None:
        from services.download.pool import ConnectionPool

        super().__init__(context, warm=True)
        self.settings = self.settings.model_copy(update={"stall_timeout_s": 3.0})
        self._pool = ConnectionPool(self.settings)

    def run(self, job: Job) -> Row:
        # as keep-warm does between challenges; what went bad before may have closed connections
        for _ in range(2 if job.idle_s else 0):
            self._pool.warmup(job.url)
        return self.answer(self._pool, job.url)

    def close(self) -> None:
        self._pool.close()


class _Blind:
    def predict(self, images: list[Any], box: Any) -> list[Any]:
        from services.results import Detections

        return [Detections.empty()] * len(images)


def row_of(timeline: dict[str, Any], total: float, body: bytes) -> Row:
    """A row from a challenge's timeline, and a number that is the same for equal answers."""
    stages, facts = timeline["stages"], timeline["facts"]
    ends = {
        "first_frame_s": "first_frame",
        "first_detections_s": "first_detections",
        "all_decoded_s": "decode",
        "all_sampled_s": "inference",
    }
    row = {metric: stages[stage]["end"] for metric, stage in ends.items() if stage in stages}
    # ids of challenges and the time that an answer took differ, what was seen must not
    same = re.sub(rb'"(challenge_id|processing_time)":("[^"]*"|[0-9.e-]+)', b"", body)
    digest = int(hashlib.sha256(same).hexdigest()[:12], 16)
    return row | {"answer_s": total, "frames": facts.get("sampled", 0), "answer_digest": digest}
