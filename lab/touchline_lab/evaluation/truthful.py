"""Models that say what is true: what is lost with them, tracks and fill lose alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.results import Detections, FrameResult, Keypoints, LumaPicture
from services.video.letterbox import Frame, Letterbox
from services.video.thumbnail import thumbnail
from touchline_lab.renderer.clip import GroundTruth

__all__ = ["Truthful"]

Floats = npt.NDArray[np.float64]

SURE = 0.9
NEAR = 96.0
"""Pixels of a look in which a ball is found, as the ball network looks at them."""


class Truthful:
    """A predictor of one clip."""

    def __init__(self, truth: GroundTruth) -> None:
        """Take a clip's truth."""
        self._truth = truth
        self.ball = _TrueBall(truth)

    def predict(self, frames: Sequence[Frame], box: Letterbox) -> list[FrameResult]:
        """The truth of each frame; the pictures tell the cuts and nothing else."""
        return [self._result(frame) for frame in frames]

    def _result(self, frame: Frame) -> FrameResult:
        true = self._truth.frames[frame.index]
        table = np.array(true.boxes, np.float32).reshape(-1, 5)
        scores = np.full(len(table), SURE, np.float32)
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
    """Finds true balls near places."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth

    def find(self, asks: Sequence[tuple[LumaPicture, Floats]]) -> list[npt.NDArray[np.float32]]:
        """True boxes near each place, with a score: see `BallFinder`."""
        return [self._near(picture, place) for picture, place in asks]

    def _near(self, picture: LumaPicture, place: Floats) -> npt.NDArray[np.float32]:
        boxes = [box[1:] for box in self._truth.frames[picture.index].boxes if box[0] == BALL]
        table = np.array(boxes, np.float32).reshape(-1, 4)
        apart = np.abs((table[:, :2] + table[:, 2:]) / 2 - place).max(axis=1, initial=0.0)
        near = table[apart <= NEAR / 2 * picture.scale]
        return np.asarray(np.c_[near, np.full(len(near), SURE)], np.float32)
