"""A predictor that returns the ground truth, to measure what tracking and interpolation alone lose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.results import Detections, FrameResult, Keypoints, LumaPicture
from services.video.letterbox import Frame, Letterbox
from services.video.thumbnail import thumbnail
from touchline_lab.renderer.clip import GroundTruth

__all__ = ["GroundTruthPredictor"]

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.9
"""Confidence of every box: enough for each to be accepted."""
SEARCH_WIDTH = 96.0
"""Side, in pixels of a luma picture, of the square in which a ball is found; as wide as the ball network's
crop."""


class GroundTruthPredictor:
    """Returns the ground truth of one clip.

    Attributes:
        ball_network: Finds true balls for the second ball pass.

    Args:
        truth: The ground truth of the clip.
    """

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth
        self.ball_network = _TrueBall(truth)

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        """Return the ground truth of each frame, with the thumbnail of its picture, which tells cuts."""
        return [self._result(frame) for frame in frames]

    def _result(self, frame: Frame) -> FrameResult:
        true = self._truth.frames[frame.index]
        table = np.array(true.boxes, np.float32).reshape(-1, 5)
        scores = np.full(len(table), CONFIDENCE, np.float32)
        points = np.array(true.keypoints, np.float32)
        found = Keypoints(points, (points != 0).any(axis=1).astype(np.float32))
        return FrameResult(
            frame.index,
            Detections(table[:, 1:], scores, table[:, 0].astype(np.int64)),
            found if frame.keypoints else None,
            thumbnail(frame.image),
            frame.luma_pictures,
        )


class _TrueBall:
    """Finds true balls near given positions: see `BallFinder`."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth

    def find(self, asks: Sequence[tuple[LumaPicture, Floats]]) -> list[npt.NDArray[np.float32]]:
        """True boxes near each position, with a confidence; shape (n, 5) for each."""
        return [self._near(picture, position) for picture, position in asks]

    def _near(self, picture: LumaPicture, position: Floats) -> npt.NDArray[np.float32]:
        boxes = [box[1:] for box in self._truth.frames[picture.index].boxes if box[0] == BALL]
        table = np.array(boxes, np.float32).reshape(-1, 4)
        apart = np.abs((table[:, :2] + table[:, 2:]) / 2 - position).max(axis=1, initial=0.0)
        near = table[apart <= SEARCH_WIDTH / 2 * picture.scale]
        return np.asarray(np.c_[near, np.full(len(near), CONFIDENCE)], np.float32)
