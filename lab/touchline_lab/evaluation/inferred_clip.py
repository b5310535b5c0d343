"""Infers every frame of a clip once, and computes the answers that coarser frame plans would give.

An answer at a stride uses the results of the frames that its plan samples, and then runs the second ball
pass, the interpolation and the encoder of the pipeline.
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
"""Stands for a challenge where the pipeline needs one; its contents do not affect the frames of an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class InferredClip:
    """A clip and the results of the models on each of its frames.

    Attributes:
        data: The video file.
        clip: The opened video.
        results: One result per frame that could be decoded, in order.
        inference_s: CPU seconds of inference per frame.
    """

    data: bytes
    clip: Clip
    results: list[FrameResult]
    inference_s: float


@dataclass(frozen=True, slots=True, eq=False)
class PlannedAnswer:
    """The answer at one frame plan.

    Attributes:
        body: The encoded answer.
        frames: The frames of the answer, decoded.
        sampled: Number of sampled frames.
        cpu_s: CPU seconds of decoding, inference, tracking, interpolation and encoding.
    """

    body: bytes
    frames: list[dict[str, Any]]
    sampled: int
    cpu_s: float


def infer_clip(
    data: bytes,
    models: Predictor[FrameResult],
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> InferredClip:
    """Decode and infer every frame of a video.

    Args:
        data: The video file.
        models: The models, warm.
        settings: Everything else that decides an answer; strides and profile are ignored.
        progress: Called after every batch with the number of frames done and in all.

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
        # luma pictures would take many times the memory of everything else
        results += [replace(result, luma_pictures=()) for result in models.predict(batch, box)]
        spent += time.process_time() - before
        if progress is not None:
            progress(len(results), max(len(results), clip.count or 0))
    return InferredClip(data, clip, results, spent / max(1, len(results)))


def answer_by_plan(
    inferred: InferredClip, models: Predictor[FrameResult], settings: Settings
) -> PlannedAnswer:
    """Compute the answer that these settings would give, from results that are there.

    The frames of the plan are decoded again, because luma pictures depend on the plan, and to measure the
    time of decoding. The time of inference is the measured time per frame; there is no network.

    Args:
        inferred: The clip with its results.
        models: The models that made them; the second ball pass needs the ball network.
        settings: The frame plan, and everything else that decides an answer.
    """
    known = {result.index: result for result in inferred.results}
    before = time.process_time()
    clip, kind = _open(inferred.data, settings), GsrKind()
    plan, box = kind.plan(clip, settings)
    counted = replace(plan, count=inferred.clip.stats.count)
    assembly = kind.assemble(CHALLENGE, inferred.clip, counted, settings, models)
    sampled = 0
    for frame in clip.frames(plan, box):
        result = known.get(frame.index)
        if result is not None:  # in a damaged clip, other frames may be lost when all are decoded
            assembly.add([replace(_as_planned(result, counted), luma_pictures=frame.luma_pictures)])
            sampled += 1
    assembly.fill()
    body = assembly.encode(0.0)
    spent = time.process_time() - before + inferred.inference_s * sampled
    return PlannedAnswer(body, msgspec.json.decode(body)["frames"], sampled, spent)


def answer_by_pipeline(data: bytes, models: Predictor[FrameResult], settings: Settings) -> bytes:
    """Compute the answer as the pipeline does: only the sampled frames are decoded and inferred, in batches.

    Args:
        data: The video file.
        models: The models, warm.
        settings: Everything else that decides an answer.
    """
    clip, kind = _open(data, settings), GsrKind()
    plan, box = kind.plan(clip, settings)
    assembly = kind.assemble(CHALLENGE, clip, plan, settings, models)
    for batch in batches(clip.frames(plan, box), settings.batch_size):
        assembly.add(models.predict(batch, box))
    assembly.fill()
    return assembly.encode(0.0)


def _as_planned(result: FrameResult, plan: FramePlan) -> FrameResult:
    """Drop the keypoints if the plan does not infer them in this frame."""
    return result if plan.needs_keypoints(result.index) else replace(result, keypoints=None)


def _open(data: bytes, settings: Settings) -> Clip:
    limits = DecodeLimits(settings.max_frames, settings.max_pixels, settings.decode_threads)
    return open_clip(MemorySource(data), limits)


def batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    """Group frames into lists of `size`; the last one may be shorter."""
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
