"""A clip of which every frame has been looked at, and the answers that coarser plans would give to it.

Frames are inferred once. An answer at a stride takes those of the frames that its plan wants and goes on as
the pipeline does, through the same search for the ball, the same fill and the same encoder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from services.challenges.gsr_kind import GsrKind
from services.challenges.kind import Predictor
from services.frame_plan import FramePlan
from services.results import FrameResult
from services.settings import Settings
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.letterbox import Frame
from services.video.source import MemorySource
from services.wire.challenge import Challenge

__all__ = ["InferredClip", "PlannedAnswer", "answer_by_pipeline", "answer_by_plan", "batches", "infer_clip"]

CHALLENGE = Challenge(challenge_id="evaluation", video_url="memory:", deadline=0.0, submitted_at=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class InferredClip:
    """A clip and what the models say about each of its frames.

    Attributes:
        data: The video file.
        clip: The opened video.
        results: One per frame that could be decoded, in order.
        inference_s: CPU seconds of the models for one frame.
    """

    data: bytes
    clip: Clip
    results: list[FrameResult]
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class PlannedAnswer:
    """An answer.

    Attributes:
        body: As it would go to the validator.
        frames: Its frames, decoded.
        sampled frames: Frames that were inferred for it.
        cpu_s: CPU seconds of decoding, inference, fill and encoding.
    """

    body: bytes
    frames: list[dict[str, Any]]
    samples: int
    cpu_s: float


def infer_clip(
    data: bytes,
    models: Predictor[FrameResult],
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> InferredClip:
    """Decode and infer every frame of a video.

    Raises:
        ChallengeError: The video cannot be read, or a model failed.
    """
    finest = settings.model_copy(update={"frame_profile": "every", "frame_stride": 1, "pitch_stride": 1})
    clip = _open(data, settings)
    plan, box = GsrKind().plan(clip, finest)
    results: list[FrameResult] = []
    spent = 0.0
    for batch in batches(clip.frames(plan, box), settings.batch_size):
        before = time.process_time()
        # a clip's looks are many times the rest
        results += [replace(result, luma_pictures=()) for result in models.predict(batch, box)]
        spent += time.process_time() - before
        if progress is not None:
            progress(len(results), max(len(results), clip.count or 0))
    return InferredClip(data, clip, results, spent / max(1, len(results)))


def answer_by_plan(
    inferred: InferredClip, models: Predictor[FrameResult], settings: Settings
) -> PlannedAnswer:
    """The answer that these settings would give, from the sampled frames.

    What the plan wants is decoded again, for the looks at the ball that this brings and for its time; that of
    the inference is a share of what was measured, and the network has no part in it.
    """
    known = {result.index: result for result in inferred.results}
    before = time.process_time()
    clip, kind = _open(inferred.data, settings), GsrKind()
    plan, box = kind.plan(clip, settings)
    counted = replace(plan, count=inferred.clip.stats.count)
    assembly = kind.assemble(CHALLENGE, inferred.clip, counted, settings, models)
    samples = 0
    for frame in clip.frames(plan, box):
        result = known.get(frame.index)
        if result is not None:  # damage may cost other frames when all are decoded
            assembly.add([replace(_seen(result, counted), luma_pictures=frame.luma_pictures)])
            samples += 1
    assembly.fill()
    body = assembly.encode(0.0)
    spent = time.process_time() - before + inferred.inference_s * samples
    return PlannedAnswer(body, msgspec.json.decode(body)["frames"], samples, spent)


def answer_by_pipeline(data: bytes, models: Predictor[FrameResult], settings: Settings) -> bytes:
    """The answer by the whole way: only the plan's frames are decoded and inferred, in their own batches."""
    clip, kind = _open(data, settings), GsrKind()
    plan, box = kind.plan(clip, settings)
    assembly = kind.assemble(CHALLENGE, clip, plan, settings, models)
    for batch in batches(clip.frames(plan, box), settings.batch_size):
        assembly.add(models.predict(batch, box))
    assembly.fill()
    return assembly.encode(0.0)


def _seen(result: FrameResult, plan: FramePlan) -> FrameResult:
    return result if plan.needs_keypoints(result.index) else replace(result, keypoints=None)


def _open(data: bytes, settings: Settings) -> Clip:
    limits = DecodeLimits(settings.max_frames, settings.max_pixels, settings.decode_threads)
    return open_clip(MemorySource(data), limits)


def batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    """So many frames at a time, in the end what is left."""
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
