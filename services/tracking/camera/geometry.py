"""Which pitch a clip shows: the template of the wire contract, or the standard pitch of real matches.

Rendered clips show the template, real ones the standard pitch or one near to it. Keypoints that are well
spread fit one of the two better than the other. The choice depends on the sampled frames only.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.pitch import STANDARD, TEMPLATE, PitchGeometry
from services.results import Keypoints
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, project

MIN_KEYPOINTS: Final = 6
"""Keypoints from which on a frame has a vote: with fewer, both pitches fit about as well."""
CAPPED_PX: Final = 12.0
"""Maximum distance of a keypoint that counts, in pixels of a picture 1280 wide."""
CLEAR_RATIO: Final = 1.2
"""A pitch has a frame's vote if the other one is this many times as far from its keypoints."""
DECISIVE: Final = 3
"""Votes more than the other pitch has, from which on nothing is compared any more."""


class PitchVotes:
    """Collects the votes of sampled frames.

    Args:
        size: The source picture.

    Attributes:
        lead: Votes of the template more than of the standard pitch.
    """

    def __init__(self, size: PictureSize) -> None:
        self._size = size
        self.lead = 0

    @property
    def decided(self) -> bool:
        """Whether further frames are not asked."""
        return abs(self.lead) >= DECISIVE

    @property
    def leader(self) -> PitchGeometry:
        """The pitch with more votes; the standard one in a tie."""
        return TEMPLATE if self.lead > 0 else STANDARD

    def add(self, keypoints: Keypoints | None) -> None:
        """Take a sampled frame's vote, if it has one."""
        if self.decided or keypoints is None or np.count_nonzero(keypoints.scores > 0) < MIN_KEYPOINTS:
            return
        template, standard = (self._distance(keypoints, pitch) for pitch in (TEMPLATE, STANDARD))
        if min(template, standard) < CAPPED_PX:
            self.lead += (standard > CLEAR_RATIO * template) - (template > CLEAR_RATIO * standard)

    def _distance(self, keypoints: Keypoints, pitch: PitchGeometry) -> float:
        """The mean capped distance of the keypoints from where the pitch has them."""
        fit = fit_homography(keypoints, self._size, pitch)
        if fit is None:
            return CAPPED_PX
        return _mean_distance(fit, keypoints, pitch, self._size)


def _mean_distance(fit: Matrix, keypoints: Keypoints, pitch: PitchGeometry, size: PictureSize) -> float:
    found = keypoints.scores > 0
    away = np.linalg.norm(project(fit, pitch.vertices_m[found]) - keypoints.points[found], axis=1)
    return float(np.minimum(away * 1280 / size.width, CAPPED_PX).mean())
