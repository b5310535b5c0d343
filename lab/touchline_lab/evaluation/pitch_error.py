"""How far an answer's pitch lies from the true one, in pixels of the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import LENGTH_CM, VERTICES_CM, WIDTH_CM

__all__ = ["keypoint_errors", "reprojection_error"]

FloatArray = npt.NDArray[np.float64]

LEAST_POINTS: Final = 4
_STEP_CM: Final = 500.0


def _ground() -> FloatArray:
    x, y = np.meshgrid(np.arange(0, LENGTH_CM + 1, _STEP_CM), np.arange(0, WIDTH_CM + 1, _STEP_CM))
    return np.stack([x.ravel(), y.ravel()], axis=1)


_GROUND: Final = _ground()


def keypoint_errors(given: FloatArray, expected: FloatArray) -> FloatArray:
    """Distances, in pixels, of the keypoints that are both in the answer and in the picture.

    Args:
        given: Shape (32, 2); 0, 0 for an absent one.
        expected: The same, as it is in truth.
    """
    both = (given != 0).any(axis=1) & (expected != 0).any(axis=1)
    return np.asarray(np.linalg.norm(given[both] - expected[both], axis=1), np.float64)


def reprojection_error(
    given: FloatArray, homography: Sequence[Sequence[float]], size: tuple[int, int]
) -> float | None:
    """How far the ground in the picture is moved by the camera that the answer's keypoints tell.

    A homography is fitted to the keypoints by least squares (Hartley and Zisserman, Multiple View Geometry,
    chapter 4); points of the pitch every five metres, those that are in the picture, are put through it and
    through the true one.

    Args:
        given: The answer's keypoints, shape (32, 2); 0, 0 for an absent one.
        homography: The true map from pitch centimetres to pixels, three rows of three.
        size: Width and height of the picture.

    Returns:
        The median distance in pixels; None where the answer has no camera.
    """
    found = (given != 0).any(axis=1)
    if found.sum() < LEAST_POINTS:
        return None
    fitted, _ = cv2.findHomography(VERTICES_CM[found], given[found], 0)
    if fitted is None:
        return None
    true, _ = _mapped(np.asarray(homography, np.float64))
    inside = (true >= 0).all(axis=1) & (true < size).all(axis=1)
    mine, before = _mapped(np.asarray(fitted, np.float64))
    if not inside.any():
        return None
    off = np.linalg.norm(mine[inside] - true[inside], axis=1)
    # a point that the answer's camera has behind itself is as wrong as can be
    return float(np.median(np.where(before[inside], off, np.inf)))


def _mapped(homography: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The ground in pixels, and which of it lies on the camera's side of the horizon."""
    moved = np.c_[_GROUND, np.ones(len(_GROUND))] @ homography.T
    depth = moved[:, 2]
    side = np.sign(np.median(depth)) or 1.0
    before = depth * side > 1e-9
    pixels = moved[:, :2] / np.where(before, depth, 1.0)[:, None]
    return np.where(before[:, None], pixels, -1.0), before
