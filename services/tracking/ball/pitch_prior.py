"""Balls beside the pitch count less: spare balls, lamps and round letters on boards lie there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import STANDARD, TEMPLATE
from services.results import Keypoints
from services.tracking.camera.homography import PictureSize, fit_homography, inverse

Boxes = npt.NDArray[np.float32]
"""(n, 5): x1, y1, x2, y2 in source pixels, score; by falling score."""

OUTSIDE_M: Final = 1.0
"""Distance from the pitch, metres, from which on a ball is beside it."""
OUTSIDE_FACTOR: Final = 0.5
"""What the score of a ball beside the pitch is multiplied with; balls in the air seem to lie there, too."""
MIN_SCORE: Final = 0.3
"""Score below which a ball beside the pitch is dropped."""


class PitchPrior:
    """Knows where the pitch of a frame is, if its keypoints tell.

    Args:
        keypoints: Of the frame, or None.
        size: The source picture.
    """

    def __init__(self, keypoints: Keypoints | None, size: PictureSize) -> None:
        self._to_ground: npt.NDArray[np.float64] | None = None
        if keypoints is None:
            return
        for pitch in (STANDARD, TEMPLATE):
            fit = fit_homography(keypoints, size, pitch)
            if fit is not None:
                self._to_ground, self._pitch_m = inverse(fit), pitch.size_m
                # the lower middle of the picture shows ground before the camera
                self._ahead = np.sign(float(self._to_ground[2] @ [size.width / 2, size.height * 0.75, 1.0]))
                break

    def weigh(self, boxes: Boxes) -> Boxes:
        """The same balls with smaller scores for those beside the pitch, by falling score again."""
        if self._to_ground is None or not len(boxes):
            return boxes
        weighed = boxes.copy()
        weighed[self._beside(boxes), 4] *= np.float32(OUTSIDE_FACTOR)
        kept = weighed[(weighed[:, 4] == boxes[:, 4]) | (weighed[:, 4] >= MIN_SCORE)]
        return np.asarray(kept[np.argsort(-kept[:, 4], kind="stable")], np.float32)

    def _beside(self, boxes: Boxes) -> npt.NDArray[np.bool_]:
        assert self._to_ground is not None
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], np.ones(len(boxes))], 1)
        mapped = feet @ self._to_ground.T
        above_horizon = mapped[:, 2] * self._ahead <= 0
        ground = mapped[:, :2] / np.where(above_horizon, 1.0, mapped[:, 2])[:, None]
        outside = (ground < -OUTSIDE_M) | (ground > self._pitch_m + OUTSIDE_M)
        return np.asarray(outside.any(axis=1) | above_horizon, bool)
