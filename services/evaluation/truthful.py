"""Models that say what is true: what is lost with them, tracks and fill lose alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.contracts.results import Detections, FrameResult, Keypoints
from services.demo.clip import GroundTruth
from services.video.picture import Frame, Letterbox
from services.video.thumbnail import thumbnail

__all__ = ["Truthful"]

SURE = 0.9


class Truthful:
    """A predictor of one clip."""

    def __init__(self, truth: GroundTruth) -> None:
        """Take a clip's truth."""
        self._truth = truth

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
        )
