"""One number to steer by, after the public description of how GSR challenges are scored.

    score = 0.65 * (0.5 * boxes + 0.5 * keypoints) + 0.35 * speed
    speed = exp(-5 * (t - t_min) / (15 - t_min)); 0 from 15 s on, and where boxes are at most 0.2

The weights, the speed and the filters are the description's. It leaves open what `boxes` and `keypoints` are
in numbers; the readings here are our own. `boxes` is the F1 over all frames at an overlap of one half, class
for class, after boxes under 15 x 40 pixels (not the ball) and boxes that begin in the top 150 rows have been
dropped on both sides; 0 where fewer than 70 % of the frames have boxes. `keypoints` is the mean over the
keypoints that are in the picture of how near the answer is, from 1 at no distance to 0 at 2 % of the width;
an absent or invented one counts as 0, and everything does where fewer than 40 % of the frames tell a camera.
Frames that are not numbered consecutively score nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.pitch import BALL, KEYPOINT_COUNT
from touchline_lab.evaluation.pitch_error import LEAST_POINTS
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

__all__ = ["ChallengeScore", "challenge_score", "speed_score"]

SLOWEST_S: Final = 15.0
FASTEST_S: Final = 1.0
LEAST_BOXES: Final = 0.2
_LEAST_WIDTH: Final = 15.0
_LEAST_HEIGHT: Final = 40.0
_TOP_ROWS: Final = 150.0
_FRAMES_WITH_BOXES: Final = 0.7
_FRAMES_WITH_CAMERA: Final = 0.4
_REACH: Final = 0.02  # of the width

Frame = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChallengeScore:
    """The three parts, each 0 to 1."""

    boxes: float
    keypoints: float
    speed: float

    @property
    def total(self) -> float:
        """The score."""
        return 0.65 * (0.5 * self.boxes + 0.5 * self.keypoints) + 0.35 * self.speed


def speed_score(seconds: float, fastest: float = FASTEST_S) -> float:
    """What a time is worth.

    Args:
        seconds: From the challenge to the answer.
        fastest: The time that scores 1.
    """
    if seconds >= SLOWEST_S:
        return 0.0
    return math.exp(-5 * max(0.0, seconds - fastest) / (SLOWEST_S - fastest))


def challenge_score(answer: Sequence[Frame], truth: GroundTruth, seconds: float) -> ChallengeScore:
    """Score an answer.

    Args:
        answer: The ``frames`` of a response.
        truth: What is true.
        seconds: The time it took.
    """
    numbers = [int(frame["frame_number"]) for frame in answer]
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return ChallengeScore(0.0, 0.0, 0.0)
    boxes = _boxes(answer, truth)
    return ChallengeScore(
        boxes, _keypoints(answer, truth), speed_score(seconds) if boxes > LEAST_BOXES else 0.0
    )


def _counts(class_id: int, x1: float, y1: float, x2: float, y2: float) -> bool:
    large = class_id == BALL or (x2 - x1 >= _LEAST_WIDTH and y2 - y1 >= _LEAST_HEIGHT)
    return large and y1 > _TOP_ROWS


def _boxes(answer: Sequence[Frame], truth: GroundTruth) -> float:
    given = [
        {
            "frame_number": frame["frame_number"],
            "keypoints": [],
            "objects": [o for o in frame["objects"] if _counts(int(o["class_id"]), *o["bbox"])],
        }
        for frame in answer
    ]
    frames = [
        FrameTruth([box for box in frame.boxes if _counts(*box)], frame.keypoints, frame.homography)
        for frame in truth.frames
    ]
    filtered = GroundTruth(truth.seed, truth.fps, truth.width, truth.height, frames)
    if sum(bool(frame["objects"]) for frame in given) < _FRAMES_WITH_BOXES * len(frames):
        return 0.0
    score = score_answer(given, filtered)
    both = score.objects["people"] + score.objects["ball"]
    return 2 * both.matched / (both.expected + both.given) if both.expected + both.given else 0.0


def _keypoints(answer: Sequence[Frame], truth: GroundTruth) -> float:
    by_number = {int(frame["frame_number"]): frame for frame in answer}
    size = np.array([truth.width, truth.height])
    total, worth, with_camera = 0, 0.0, 0
    for number, true_frame in enumerate(truth.frames):
        given = _positions(by_number.get(number))
        expected = np.array(true_frame.keypoints, np.float64)
        here, visible = (given != 0).any(axis=1), (expected != 0).any(axis=1)
        invented = here & ~visible & (given >= 0).all(axis=1) & (given < size).all(axis=1)
        off = np.linalg.norm(given - expected, axis=1)
        near = np.clip(1 - off / (_REACH * truth.width), 0, 1)
        worth += float(near[here & visible].sum())
        total += int(visible.sum() + invented.sum())
        with_camera += int(here.sum() >= LEAST_POINTS)
    if with_camera < _FRAMES_WITH_CAMERA * len(truth.frames):
        return 0.0
    return worth / total if total else 0.0


def _positions(frame: Frame | None) -> npt.NDArray[np.float64]:
    given = np.array(frame["keypoints"] if frame is not None else [], np.float64)
    return given if given.shape == (KEYPOINT_COUNT, 2) else np.zeros((KEYPOINT_COUNT, 2))
