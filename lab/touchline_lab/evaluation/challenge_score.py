"""Scores a GSR answer, following the public description of how validators score challenges.

    score = 0.65 * (0.5 * boxes + 0.5 * keypoints) + 0.35 * speed
    speed = exp(-5 * (t - t_min) / (15 - t_min)); 0 from 15 s on, and where boxes are at most 0.2

The weights, the speed term and the filters come from the description. It does not define `boxes` and
`keypoints` numerically, so these definitions are ours:

- `boxes` is the F1 score over all frames at an IoU of 0.5, class by class. Boxes below 15 x 40 pixels, except
  balls, and boxes that begin in the top 150 rows are dropped from answer and truth. It is 0 if fewer than 70
  % of the frames have boxes.
- `keypoints` is the mean, over the keypoints that are in the picture, of 1 minus their error divided by 2 %
  of the picture's width, but at least 0. Absent keypoints, and keypoints that are not in the picture in
  truth, count as 0. It is 0 if fewer than 40 % of the frames have the four keypoints that a camera needs.

An answer whose frames are not numbered consecutively scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.pitch import BALL, KEYPOINT_COUNT
from touchline_lab.evaluation.pitch_error import MINIMUM_POINTS
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

__all__ = ["ChallengeScore", "challenge_score", "speed_score"]

SLOWEST_S: Final = 15.0
"""Seconds from which on speed scores nothing (from the description)."""
FASTEST_S: Final = 1.0
"""Seconds that score 1; the description calls them the fastest time, without a number."""
MINIMUM_BOXES: Final = 0.2
"""Score of the boxes up to which speed scores nothing (from the description)."""
_MINIMUM_WIDTH: Final = 15.0
"""Pixels below which a box is dropped, except a ball (from the description)."""
_MINIMUM_HEIGHT: Final = 40.0
"""Pixels below which a box is dropped, except a ball (from the description)."""
_TOP_ROWS: Final = 150.0
"""Rows of the picture in which a dropped box begins (from the description)."""
_FRAMES_WITH_BOXES: Final = 0.7
"""Share of frames that have to have boxes (from the description)."""
_FRAMES_WITH_CAMERA: Final = 0.4
"""Share of frames that have to have enough keypoints for a camera (from the description)."""
_ZERO_SCORE_ERROR: Final = 0.02
"""Error of a keypoint that scores 0, as a share of the picture's width (our choice)."""

Frame = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChallengeScore:
    """The three parts of the score, each 0 to 1."""

    boxes: float
    keypoints: float
    speed: float

    @property
    def total(self) -> float:
        """The weighted sum of the parts, 0 to 1."""
        return 0.65 * (0.5 * self.boxes + 0.5 * self.keypoints) + 0.35 * self.speed


def speed_score(seconds: float, fastest: float = FASTEST_S) -> float:
    """The score of an answering time, 0 to 1.

    Args:
        seconds: Seconds from the challenge to the answer.
        fastest: Seconds that score 1.
    """
    if seconds >= SLOWEST_S:
        return 0.0
    return math.exp(-5 * max(0.0, seconds - fastest) / (SLOWEST_S - fastest))


def challenge_score(answer: Sequence[Frame], truth: GroundTruth, seconds: float) -> ChallengeScore:
    """Score an answer.

    Args:
        answer: The ``frames`` of a decoded answer.
        truth: The ground truth of the clip.
        seconds: Seconds from the challenge to the answer.
    """
    numbers = [int(frame["frame_number"]) for frame in answer]
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return ChallengeScore(0.0, 0.0, 0.0)
    boxes = _boxes(answer, truth)
    return ChallengeScore(
        boxes, _keypoints(answer, truth), speed_score(seconds) if boxes > MINIMUM_BOXES else 0.0
    )


def _counts(class_id: int, x1: float, y1: float, x2: float, y2: float) -> bool:
    large = class_id == BALL or (x2 - x1 >= _MINIMUM_WIDTH and y2 - y1 >= _MINIMUM_HEIGHT)
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
        near = np.clip(1 - off / (_ZERO_SCORE_ERROR * truth.width), 0, 1)
        worth += float(near[here & visible].sum())
        total += int(visible.sum() + invented.sum())
        with_camera += int(here.sum() >= MINIMUM_POINTS)
    if with_camera < _FRAMES_WITH_CAMERA * len(truth.frames):
        return 0.0
    return worth / total if total else 0.0


def _positions(frame: Frame | None) -> npt.NDArray[np.float64]:
    given = np.array(frame["keypoints"] if frame is not None else [], np.float64)
    return given if given.shape == (KEYPOINT_COUNT, 2) else np.zeros((KEYPOINT_COUNT, 2))
