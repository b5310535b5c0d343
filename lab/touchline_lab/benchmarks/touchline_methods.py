"""Touchline's pipeline as the benchmark runs it: from the URL to the bytes of the answer, without a queue."""

from __future__ import annotations

import time
from typing import Any

from touchline_lab.benchmarks.job import Context, Job, Row
from touchline_lab.evaluation.fingerprint import frames_fingerprint

SHORT_INTERVAL_S = 1.5
"""Seconds between two touches of the keep-warm thread when an hour without challenges is simulated.

It is below the idle time-out of the origin's second port, 5 s, as the real interval is below that of real
origins."""
SHORT_IDLE_S = 7.0
"""Seconds without a challenge: longer than that time-out, so that a connection that is not kept warm is
closed."""


class Touchline:
    """`run_challenge` with a new connection pool for every run.

    Attributes:
        deadline_s: Seconds from the submission of each challenge to its deadline.

    Args:
        context: Origin and device.
        warm: Whether the connection is opened, and then left idle for a while, before the clock starts.
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
        """Answer one challenge over this pool, with the clock running."""
        from services.pipeline.runner import ProcessState, run_challenge
        from services.timeline import Timeline
        from services.wire.challenge import Challenge

        now = time.time()
        challenge = Challenge(
            challenge_id="bench", video_url=url, deadline=now + self.deadline_s, submitted_at=now
        )
        timeline = Timeline()
        begin = time.perf_counter()
        answer = run_challenge(challenge, ProcessState(pool, self.kinds, self.settings), timeline)
        total = time.perf_counter() - begin
        return row_of(timeline.to_dict(), total, answer.body) | {"partial": float(answer.partial)}

    def close(self) -> None:
        """Nothing has to be released."""


class TouchlineWithoutModels(Touchline):
    """Warm, with models that find nothing and take no time: downloading and decoding alone."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, warm=True)

    def _load(self) -> Any:
        from services.challenges.kinds import serve
        from services.inference.models import Models

        return serve(self.settings, lambda name, settings: Models(_NoDetections(), None, "cpu"))


class TouchlineAfterIdle(Touchline):
    """After an hour without challenges, in seconds: the keep-warm thread has to keep the connection open."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, warm=True)

    def run(self, job: Job) -> Row:
        """Answer the clip after the idle time."""
        from services.download.keep_warm import KeepWarm
        from services.download.pool import ConnectionPool

        pool = ConnectionPool(self.settings)
        keep = KeepWarm(pool, (job.short_idle_url,), SHORT_INTERVAL_S, lambda: False)
        keep.start()
        try:
            # on a link with a long round trip it takes seconds until all connections are open
            time.sleep(SHORT_IDLE_S + 3 * job.idle_s)
            keep.stop()
            # the last touch must not come immediately before the challenge
            time.sleep(job.idle_s)
            return self.answer(pool, job.short_idle_url)
        finally:
            pool.close()


class TouchlineWithDeadline(Touchline):
    """With a short deadline, and with one pool for all runs: for links that go bad."""

    deadline_s = 12.0

    def __init__(self, context: Context) -> None:
        from services.download.pool import ConnectionPool

        super().__init__(context, warm=True)
        self.settings = self.settings.model_copy(update={"stall_timeout_s": 3.0})
        self._pool = ConnectionPool(self.settings)

    def run(self, job: Job) -> Row:
        """Answer the clip, over connections that are opened again where they were lost."""
        # as the keep-warm thread does between challenges: the run before may have lost connections
        for _ in range(2 if job.idle_s else 0):
            self._pool.warmup(job.url)
        return self.answer(self._pool, job.url)

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


class _NoDetections:
    """A detector that finds nothing."""

    def predict(self, images: list[Any], box: Any) -> list[Any]:
        from services.results import Detections

        return [Detections.empty()] * len(images)


def row_of(timeline: dict[str, Any], total: float, body: bytes) -> Row:
    """The times of a challenge's timeline, and a number that is the same for equal answers.

    Args:
        timeline: As in an answer.
        total: Seconds from the start to the encoded answer.
        body: The encoded answer.
    """
    stages, facts = timeline["stages"], timeline["facts"]
    ends = {
        "first_frame_s": "first_frame",
        "first_detections_s": "first_detections",
        "all_decoded_s": "decode",
        "all_sampled_s": "inference",
    }
    row = {metric: stages[stage]["end"] for metric, stage in ends.items() if stage in stages}
    # rows hold numbers: 48 bits of the fingerprint tell answers apart well enough
    digest = int(frames_fingerprint(body)[:12], 16)
    return row | {"answer_s": total, "frames": facts.get("sampled", 0), "answer_digest": digest}
