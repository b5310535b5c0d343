"""How good the actions by rule are, on rendered play of which every pass is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np

from services.challenges.pitch_positions import pitch_positions
from services.challenges.soccer_rules import actions
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.results import Detections, FrameResult, Keypoints
from services.tracking.ball.second_pass import SecondBallPass
from services.tracking.camera.homography import PictureSize
from services.video.letterbox import Frame, Letterbox, letterboxed
from services.video.luma import luma_picture
from services.wire.private_track import FPS, Action
from touchline_lab.evaluation.action_score import ActionScore, action_score
from touchline_lab.renderer.passing import PassingScene
from touchline_lab.renderer.scene import Rendered

__all__ = ["Watched", "score", "watch"]

SIZE = (1280, 720)
SURE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A rendered clip, looked at.

    Attributes:
        truth: What happens in it.
        results: The sampled frames by name: as the models see them, or as they are.
        frames: Frames in the clip.
        stride: Distance of the sampled frames.
    """

    truth: Sequence[Action]
    results: dict[str, list[FrameResult]]
    frames: int
    stride: int


def watch(seed: int, frames: int, stride: int, img_size: int, predictor: LoadedPredictor | None) -> Watched:
    """Render the sampled frames of a clip and look at them.

    Args:
        seed: The match.
        frames: Length of the clip.
        stride: Every n-th frame is rendered.
        img_size: Longer side of what the predictor sees, pixels.
        predictor: What looks, besides the truth.
    """
    scene = PassingScene(seed, SIZE, FPS)
    plan, box = FramePlan(stride, frames), Letterbox.fit(*SIZE, img_size)
    results: dict[str, list[FrameResult]] = {"truth": []}
    finder = getattr(predictor, "ball", None)
    # in the sampled frames alone: no frames between them are rendered
    search = None if finder is None else SecondBallPass(finder, SIZE[0])
    for index in filter(plan.is_sampled, range(frames)):
        scene.advance(index)
        rendered = scene.render()
        results["truth"].append(_true_result(index, rendered))
        if predictor is not None:
            (result,) = predictor.predict([_frame(index, rendered, box)], box)
            results.setdefault("models", []).append(search.add(result) if search else result)
    scene.advance(frames - 1)
    return Watched(scene.match.events, results, frames, stride)


def score(watched: Watched, frame_predictor: str, kept: Sequence[str] | None = None) -> ActionScore:
    """The score of the rules.

    Args:
        watched: The clip.
        frame_predictor: `truth` or `models`.
        kept: The only actions that count, on both sides; all by default.
    """
    seen = [(result.index, result) for result in watched.results[frame_predictor]]
    given = actions(pitch_positions(seen, PictureSize(*SIZE), watched.frames, watched.stride))
    if kept is None:
        return action_score(given, watched.truth)
    return action_score(
        [action for action in given if action.action in kept],
        [action for action in watched.truth if action.action in kept],
    )


def _frame(index: int, rendered: Rendered, box: Letterbox) -> Frame:
    planes = np.asarray(cv2.cvtColor(rendered.image, cv2.COLOR_BGR2YUV_I420), np.uint8)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    luma = luma_picture(index, picture, SIZE)
    return Frame(index, letterboxed(picture, box), luma_pictures=() if luma is None else (luma,))


def _true_result(index: int, rendered: Rendered) -> FrameResult:
    table = np.array(rendered.boxes, np.float32).reshape(-1, 5)
    points = rendered.keypoints.astype(np.float32)
    return FrameResult(
        index,
        Detections(table[:, 1:], np.full(len(table), SURE, np.float32), table[:, 0].astype(np.int64)),
        Keypoints(points, (points != 0).any(axis=1).astype(np.float32)),
    )
