"""Scores the rules of `soccer_action` on rendered play of which every pass is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import av
import cv2
import numpy as np

from services.challenges.pitch_positions import pitch_positions
from services.challenges.shirts import shirts_of
from services.challenges.soccer_rules import actions
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.results import Detections, FrameResult, Keypoints
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.homography import PictureSize
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.luma import full_scale, luma_picture
from services.wire.private_track import FPS, Action
from touchline_lab.evaluation.action_score import ActionScore, action_score
from touchline_lab.renderer.passing import PassingScene
from touchline_lab.renderer.scene import Rendered

__all__ = ["InferredMatch", "infer_match", "score"]

SIZE = (1280, 720)
"""Width and height of the rendered pictures."""
CONFIDENCE = 0.9
"""Confidence of boxes that are ground truth: enough for each to be accepted."""


@dataclass(frozen=True, slots=True, eq=False)
class InferredMatch:
    """A rendered match and the results of its sampled frames.

    Attributes:
        truth: The true actions.
        results: One result per sampled frame, under `truth` from the ground truth, under `models` from a
            predictor.
        frames: Number of frames of the clip.
        stride: Distance of the sampled frames.
    """

    truth: Sequence[Action]
    results: dict[str, list[FrameResult]]
    frames: int
    stride: int


def infer_match(
    seed: int, frames: int, stride: int, img_size: int, predictor: LoadedPredictor | None
) -> InferredMatch:
    """Render the sampled frames of a match and infer them.

    Args:
        seed: Seed of the match.
        frames: Number of frames of the clip.
        stride: Every n-th frame is rendered and inferred.
        img_size: Longer side of the predictor's input in pixels.
        predictor: Infers the frames; None for the ground truth alone.
    """
    scene = PassingScene(seed, SIZE, FPS)
    plan, box = FramePlan(stride, frames), Letterbox.fit(*SIZE, img_size)
    results: dict[str, list[FrameResult]] = {"truth": []}
    # frames between the sampled ones are not rendered, so the ball is searched in sampled frames only
    second_pass = second_ball_pass(predictor, PictureSize(*SIZE))
    for index in filter(plan.is_sampled, range(frames)):
        scene.advance(index)
        rendered = scene.render()
        frame = _frame(index, rendered, box)
        results["truth"].append(_dressed(_true_result(index, rendered), frame, box))
        if predictor is not None:
            (result,) = predictor.predict([frame], box)
            result = _dressed(result, frame, box)
            results.setdefault("models", []).append(second_pass(result))
    scene.advance(frames - 1)
    return InferredMatch(scene.match.events, results, frames, stride)


def score(match: InferredMatch, source: str, names: Sequence[str] | None = None) -> ActionScore:
    """Apply the rules to the results of a match and score the actions that they find.

    Args:
        match: The match.
        source: Which results: `truth` or `models`.
        names: The actions that count, in the answer and in the truth; by default all.
    """
    results = [(result.index, result) for result in match.results[source]]
    given = actions(pitch_positions(results, PictureSize(*SIZE), match.frames, match.stride))
    if names is None:
        return action_score(given, match.truth)
    return action_score(
        [action for action in given if action.action in names],
        [action for action in match.truth if action.action in names],
    )


def _frame(index: int, rendered: Rendered, letterbox: Letterbox) -> Frame:
    planes = np.asarray(cv2.cvtColor(rendered.image, cv2.COLOR_BGR2YUV_I420), np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    luma = luma_picture(index, picture, SIZE)
    full = luma_picture(index, picture, SIZE, scale=full_scale(SIZE))
    pictures = () if luma is None else (luma,)
    return Frame(index, letterboxed(picture, letterbox), luma_pictures=pictures, full_luma=full)


def _dressed(result: FrameResult, frame: Frame, box: Letterbox) -> FrameResult:
    return replace(result, shirts=shirts_of(result.detections, frame.image, box))


def _true_result(index: int, rendered: Rendered) -> FrameResult:
    table = np.array(rendered.boxes, np.float32).reshape(-1, 5)
    points = rendered.keypoints.astype(np.float32)
    return FrameResult(
        index,
        Detections(table[:, 1:], np.full(len(table), CONFIDENCE, np.float32), table[:, 0].astype(np.int64)),
        Keypoints(points, (points != 0).any(axis=1).astype(np.float32)),
    )
