"""Errors of an answer's keypoints, and of the camera that they determine, in source pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import LENGTH_CM, VERTICES_CM, WIDTH_CM

__all__ = ["keypoint_errors", "reprojection_error"]

FloatArray = npt.NDArray[np.float64]

MINIMUM_POINTS: Final = 4
"""Keypoints that a homography needs."""
_STEP_CM: Final = 500.0
"""Distance in centimetres of the ground points at which the camera is compared."""


def _ground() -> FloatArray:
    x, y = np.meshgrid(np.arange(0, LENGTH_CM + 1, _STEP_CM), np.arange(0, WIDTH_CM + 1, _STEP_CM))
    return np.stack([x.ravel(), y.ravel()], axis=1)


_GROUND: Final = _ground()


def keypoint_errors(given: FloatArray, expected: FloatArray) -> FloatArray:
    """Distances in pixels between answered and true keypoints, of those that both have.

    Args:
        given: Keypoints of the answer, shape (32, 2); 0, 0 for an absent one.
        expected: True keypoints, shape (32, 2); 0, 0 for one that is not in the picture.

    Returns:
        Shape (n,).
    """
    both = (given != 0).any(axis=1) & (expected != 0).any(axis=1)
    return np.asarray(np.linalg.norm(given[both] - expected[both], axis=1), np.float64)


def reprojection_error(
    given: FloatArray, homography: Sequence[Sequence[float]], size: tuple[int, int]
) -> float | None:
    """The error of ground points under a homography that is fitted to the answer's keypoints.

    The homography is fitted by least squares (Hartley and Zisserman, Multiple View Geometry, chapter 4).
    Points of the pitch every five metres that are in the picture are projected with it and with the true one.

    Args:
        given: The answer's keypoints, shape (32, 2); 0, 0 for an absent one.
        homography: The true map from pitch centimetres to pixels, three rows of three.
        size: Width and height of the picture.

    Returns:
        The median distance in pixels; None if the keypoints do not determine a homography.
    """
    found = (given != 0).any(axis=1)
    if found.sum() < MINIMUM_POINTS:
        return None
    fitted, _ = cv2.findHomography(VERTICES_CM[found], given[found], 0)
    if fitted is None:
        return None
    true_points, _ = _mapped(np.asarray(homography, np.float64))
    inside = (true_points >= 0).all(axis=1) & (true_points < size).all(axis=1)
    fitted_points, before = _mapped(np.asarray(fitted, np.float64))
    if not inside.any():
        return None
    off = np.linalg.norm(fitted_points[inside] - true_points[inside], axis=1)
    # a point behind the fitted camera has an infinite error
    return float(np.median(np.where(before[inside], off, np.inf)))


def _mapped(homography: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The ground points in pixels, and which of them lie in front of the camera."""
    moved = np.c_[_GROUND, np.ones(len(_GROUND))] @ homography.T
    depth = moved[:, 2]
    side = np.sign(np.median(depth)) or 1.0
    before = depth * side > 1e-9
    pixels = moved[:, :2] / np.where(before, depth, 1.0)[:, None]
    return np.where(before[:, None], pixels, -1.0), before
