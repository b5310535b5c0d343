"""Where the camera of one sampled frame looks: from its keypoints and its painted lines."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from services.pitch import TEMPLATE, PitchGeometry
from services.results import FrameResult, Keypoints, PaintedLines
from services.tracking.camera.homography import (
    Matrix,
    PictureSize,
    fit_homography,
    is_view,
    visible_keypoints,
)
from services.tracking.camera.line_fit import supported

REMEMBERED: Final = 16
"""Frames and pitches whose homographies are remembered; several challenges may be tracked at a time."""


def locate(
    result: FrameResult, size: PictureSize, pitch: PitchGeometry = TEMPLATE
) -> tuple[FrameResult, Matrix | None]:
    """Fit the pitch to one sampled frame.

    Where the painted lines are known, a homography that they do not support is dropped, and one that lies
    beside them is moved onto them; then the keypoints are those of the moved one.

    Returns:
        The frame, and its homography (3, 3): None where the pitch was not inferred or not found.
    """
    if result.keypoints is None:
        return result, None
    fit, moved = _located(result.keypoints, result.painted_lines, size, pitch)
    return (result if moved is None else replace(result, keypoints=moved)), fit


# the second ball pass asks for a frame first, then tracking does
@lru_cache(maxsize=REMEMBERED)
def _located(
    keypoints: Keypoints, lines: PaintedLines | None, size: PictureSize, pitch: PitchGeometry
) -> tuple[Matrix | None, Keypoints | None]:
    """The homography, and the keypoints of one that was moved."""
    fit = fit_homography(keypoints, size, pitch)
    if fit is None or lines is None:
        return fit, None
    found = supported(fit, lines, pitch)
    if found is None:
        return None, None
    fit, moved = found
    if not moved:
        return fit, None
    points = visible_keypoints(fit[None], size, pitch)[0]
    there = (points != 0).any(axis=1)
    if not is_view(fit, pitch.vertices_m[there], size):
        return None, None
    return fit, Keypoints(points.astype(np.float32), there.astype(np.float32))
