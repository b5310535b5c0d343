"""Where the camera of one sampled frame looks: from its keypoints and its painted lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.pitch import TEMPLATE, PitchGeometry
from services.results import FrameResult, Keypoints
from services.tracking.camera.homography import (
    Matrix,
    PictureSize,
    fit_homography,
    is_view,
    visible_keypoints,
)
from services.tracking.camera.line_fit import supported


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
    fit = fit_homography(result.keypoints, size, pitch)
    if fit is None or result.painted_lines is None:
        return result, fit
    found = supported(fit, result.painted_lines, pitch)
    if found is None:
        return result, None
    fit, moved = found
    if not moved:
        return result, fit
    points = visible_keypoints(fit[None], size, pitch)[0]
    there = (points != 0).any(axis=1)
    if not is_view(fit, pitch.vertices_m[there], size):
        return result, None
    keypoints = Keypoints(points.astype(np.float32), there.astype(np.float32))
    return replace(result, keypoints=keypoints), fit
