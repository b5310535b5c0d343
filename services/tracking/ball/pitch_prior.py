"""Balls beside the pitch count less: spare balls, lamps and round letters on boards lie there."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import STANDARD, TEMPLATE, PitchGeometry
from services.results import FrameResult
from services.tracking.camera.geometry import PitchVotes
from services.tracking.camera.homography import Matrix, PictureSize, inverse
from services.tracking.camera.location import locate

Boxes = npt.NDArray[np.float32]
"""(n, 5): x1, y1, x2, y2 in source pixels, score; by falling score."""

OUTSIDE_M: Final = 1.0
"""Distance from the pitch, metres, from which on a ball is beside it."""
OUTSIDE_FACTOR: Final = 0.5
"""What the score of a ball beside the pitch is multiplied with; balls in the air seem to lie there, too."""
MIN_SCORE: Final = 0.3
"""Score below which a ball beside the pitch is dropped."""


class PitchPrior:
    """Weighs the balls of a clip's sampled frames by where they lie.

    Args:
        size: The source picture.
    """

    def __init__(self, size: PictureSize) -> None:
        self._size = size
        self._votes = PitchVotes(size)
        self._result: FrameResult | None = None
        self._fits: list[tuple[Matrix, PitchGeometry]] | None = None

    def begin_frame(self, result: FrameResult) -> None:
        """Take the next sampled frame."""
        self._votes.add(result.keypoints)
        self._result, self._fits = result, None

    def weigh(self, boxes: Boxes) -> Boxes:
        """Balls of the frame with smaller scores for those beside the pitch, by falling score again.

        Balls beside the pitch whose score becomes too small are dropped. Nothing changes where keypoints and
        painted lines do not show the pitch. As long as it is not known which pitch the clip shows, a ball
        counts as beside it only if it is beside both.
        """
        if not len(boxes):
            return boxes
        if self._fits is None:
            self._fits = self._located()
        if not self._fits:
            return boxes
        beside = np.logical_and.reduce([self._beside(boxes, fit, pitch) for fit, pitch in self._fits])
        weighed = boxes.copy()
        weighed[beside, 4] *= np.float32(OUTSIDE_FACTOR)
        kept = weighed[~beside | (weighed[:, 4] >= MIN_SCORE)]
        return np.asarray(kept[np.argsort(-kept[:, 4], kind="stable")], np.float32)

    def _located(self) -> list[tuple[Matrix, PitchGeometry]]:
        """The homography of the frame for each pitch that the clip may show, where there is one."""
        pitches = (self._votes.leader,) if self._votes.decided else (STANDARD, TEMPLATE)
        result = self._result
        fits = [(locate(result, self._size, pitch)[1], pitch) for pitch in pitches if result is not None]
        return [(fit, pitch) for fit, pitch in fits if fit is not None]

    def _beside(self, boxes: Boxes, fit: Matrix, pitch: PitchGeometry) -> npt.NDArray[np.bool_]:
        to_ground = inverse(fit)
        feet = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], np.ones(len(boxes))], 1)
        mapped = feet @ to_ground.T
        ahead = float(to_ground[2] @ self._size.lower_middle)
        above_horizon = mapped[:, 2] * np.sign(ahead) <= 0
        ground = mapped[:, :2] / np.where(above_horizon, 1.0, mapped[:, 2])[:, None]
        outside = (ground < -OUTSIDE_M) | (ground > pitch.size_m + OUTSIDE_M)
        return np.asarray(outside.any(axis=1) | above_horizon, bool)
