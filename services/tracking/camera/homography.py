"""The camera of every frame: homographies fitted to the sampled keypoints, moved on between them.

A homography here maps pitch coordinates in metres to source pixels: `px ~ H @ (x, y, 1)`. Formulas: Hartley
and Zisserman, Multiple View Geometry, 2nd edition, chapter 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import TEMPLATE, PitchGeometry
from services.results import Keypoints
from services.tracking.camera.pinhole import decompose_homography

Matrix = npt.NDArray[np.float64]

MIN_POINTS: Final = 4
"""Keypoints that determine a homography."""
RANSAC_PX: Final = 6.0
"""Inlier distance in pixels of a picture 1280 wide; scaled with the width."""
MIN_AGREEING: Final = 0.5
"""Share of the keypoints found that has to agree with a homography."""
MIN_SPREAD: Final = 0.12
"""Extent of the keypoints that agree, as a share of the picture's width; a quarter of it the other way."""
MIN_CAMERA_M: Final = 2.5
"""Height of the camera above the pitch, metres: a broadcast camera looks down on it."""
MAX_CAMERA_M: Final = 150.0
"""Height of the camera, metres: a stadium's roof is at 60."""
MAX_JUMP: Final = 0.05
"""Share of the width by which a homography may differ from what its neighbours suggest."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Width and height of the source, pixels."""

    width: int
    height: int

    @property
    def centre(self) -> Matrix:
        """(2,) its middle."""
        return np.array([self.width / 2, self.height / 2])

    @property
    def lower_middle(self) -> Matrix:
        """(3,) homogeneous: a pixel that shows ground before the camera, below the horizon."""
        return np.array([self.width / 2, self.height * 0.75, 1.0])

    @property
    def corners(self) -> Matrix:
        """(4, 2) corners."""
        w, h = float(self.width), float(self.height)
        return np.array([[0, 0], [w, 0], [w, h], [0, h]])


def project(homography: Matrix, points: Matrix) -> Matrix:
    """Map points (n, 2) through a homography; a point at infinity becomes NaN."""
    mapped = points @ homography[:, :2].T + homography[:, 2]
    depth = np.where(np.abs(mapped[:, 2:]) < 1e-12, np.nan, mapped[:, 2:])
    result: Matrix = mapped[:, :2] / depth
    return result


def inverse(homography: Matrix) -> Matrix:
    """The inverse homography: source pixels to metres."""
    return np.asarray(np.linalg.inv(homography), np.float64)


def fit_homography(keypoints: Keypoints, size: PictureSize, pitch: PitchGeometry = TEMPLATE) -> Matrix | None:
    """Fit the pitch to the keypoints of one frame.

    Returns:
        (3, 3), or None where fewer than four keypoints agree or the result is no view of a pitch.
    """
    found = np.flatnonzero(keypoints.scores > 0)
    if len(found) < MIN_POINTS:
        return None
    threshold = RANSAC_PX * size.width / 1280
    ground, seen = pitch.vertices_m[found], keypoints.points[found].astype(np.float64)
    homography, inliers = cv2.findHomography(ground, seen, cv2.RANSAC, threshold, maxIters=2000)
    if homography is None or inliers is None:
        return None
    agree = inliers.ravel() > 0
    if agree.sum() < max(MIN_POINTS, MIN_AGREEING * len(found)):
        return None
    fitted: Matrix = np.asarray(homography, np.float64)
    if not _is_spread(seen[agree], size) or not is_view(fitted, ground[agree], size):
        return None
    return fitted


def _is_spread(points: Matrix, size: PictureSize) -> bool:
    """Whether keypoints that agree are more than a heap: any homography explains points in a heap."""
    apart = np.ptp(points, axis=0) / size.width
    return bool(apart.max() >= MIN_SPREAD and apart.min() >= MIN_SPREAD / 4)


def is_view(homography: Matrix, points: Matrix, size: PictureSize) -> bool:
    """Whether this can be a camera above the pitch: not mirrored, not degenerate, points before it."""
    if not np.isfinite(homography).all() or abs(np.linalg.det(homography)) < 1e-9:
        return False
    depth = points @ homography[2, :2] + homography[2, 2]
    if not ((depth > 0).all() or (depth < 0).all()):
        return False
    centred = points - points.mean(0)
    if np.linalg.svd(centred, compute_uv=False)[-1] < 1.0:  # all on one line
        return False
    ground = project(inverse(homography), size.corners[2:])
    if not np.isfinite(ground).all():
        return False
    return _keeps_orientation(homography, points) and _is_above(homography, size)


def _is_above(homography: Matrix, size: PictureSize) -> bool:
    """Whether a camera in a stadium could see this; undecided where noise hides its position."""
    found = decompose_homography(homography, size.centre)
    return found is None or MIN_CAMERA_M <= float(found[0][2]) <= MAX_CAMERA_M


def _keeps_orientation(homography: Matrix, points: Matrix) -> bool:
    """The pitch is seen from above: the Jacobian's determinant keeps its sign, x right and y down."""
    x, y = points.mean(0)
    base, right, down = project(homography, np.array([[x, y], [x + 0.1, y], [x, y + 0.1]]))
    a, b = right - base, down - base
    return bool(a[0] * b[1] - a[1] * b[0] > 0)


def is_outlier(
    first: Matrix, middle: Matrix, last: Matrix, times: tuple[int, int, int], size: PictureSize
) -> bool:
    """Whether a homography jumps away from what its neighbours suggest, and back."""
    share = (times[1] - times[0]) / (times[2] - times[0])
    expected = between(first, last, np.array([share]), size)[0]
    ground = project(inverse(middle), size.corners * [1, 0.5] + [0, size.height / 2])
    off = np.linalg.norm(project(expected, ground) - project(middle, ground), axis=1)
    apart = np.linalg.norm(project(last, ground) - project(first, ground), axis=1)
    limit = MAX_JUMP * size.width + 0.5 * _nan_median(apart)
    return not _nan_median(off) <= limit


def _nan_median(values: Matrix) -> float:
    """The median of those that are numbers, NaN where none is."""
    known = np.sort(values[~np.isnan(values)])
    return float(known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if len(known) else np.nan


def between(first: Matrix, last: Matrix, shares: Matrix, size: PictureSize) -> Matrix:
    """Homographies between `first` (share 0) and `last` (share 1).

    The picture's corners are moved in straight lines, which follows a pan or zoom of the camera, where
    moving each keypoint by itself would not.

    Args:
        first: (3, 3).
        last: (3, 3).
        shares: (n,) 0 to 1.
        size: The source picture.

    Returns:
        (n, 3, 3)
    """
    motion = last @ inverse(first)
    corners = size.corners
    moved = project(motion, corners)
    if not np.isfinite(moved).all():
        return np.where((shares < 0.5)[:, None, None], first, last)
    targets = corners + shares[:, None, None] * (moved - corners)
    return _from_corners(corners, targets) @ first


def _from_corners(corners: Matrix, targets: Matrix) -> Matrix:
    """Homographies (n, 3, 3) that take four corners (4, 2) to targets (n, 4, 2), solved directly."""
    x, y = corners.T
    u, v = targets[..., 0], targets[..., 1]
    one, zero = np.ones(4), np.zeros(4)
    upper = np.stack([x, y, one, zero, zero, zero], 1)
    lower = np.stack([zero, zero, zero, x, y, one], 1)
    rows = np.empty((len(targets), 8, 8))
    rows[:, :4, :6], rows[:, 4:, :6] = upper, lower
    rows[:, :4, 6:] = -u[..., None] * corners
    rows[:, 4:, 6:] = -v[..., None] * corners
    solved = np.linalg.solve(rows, np.concatenate([u, v], 1)[..., None])[..., 0]
    return np.asarray(np.c_[solved, np.ones(len(targets))].reshape(-1, 3, 3), np.float64)


def homography_path(
    fits: Sequence[Matrix | None], indices: Sequence[int], count: int, size: PictureSize
) -> Matrix | None:
    """The homography of every frame of a clip, interpolated between those of sampled frames.

    Args:
        fits: One homography per sampled frame, None where there is none.
        indices: Frame numbers of the sampled frames, rising.
        count: Frames in the clip.
        size: The source picture.

    Returns:
        (count, 3, 3); frames before the first and after the last homography repeat it. None if there is none.
    """
    known = [(frame, fit) for frame, fit in zip(indices, fits, strict=True) if fit is not None]
    if not known:
        return None
    path = np.empty((count, 3, 3))
    for (start, first), (end, last) in zip(known, known[1:], strict=False):
        path[start:end] = between(first, last, np.arange(end - start) / (end - start), size)
    path[: known[0][0]] = known[0][1]
    path[known[-1][0] :] = known[-1][1]
    return path


def visible_keypoints(
    path: Matrix,
    size: PictureSize,
    pitch: PitchGeometry = TEMPLATE,
    distort: Callable[[Matrix], Matrix] | None = None,
) -> Matrix:
    """The 32 pitch keypoints in source pixels; those out of the picture are 0, 0.

    Args:
        path: (n, 3, 3) homographies.
        size: The source picture.
        pitch: Where the keypoints lie.
        distort: Moves points as the lens does; None for a lens without distortion.

    Returns:
        (n, 32, 2)
    """
    mapped = pitch.vertices_m @ path[:, :, :2].transpose(0, 2, 1) + path[:, None, :, 2]
    centre = np.linalg.inv(path) @ size.lower_middle
    sign = np.sign(np.einsum("ni,ni->n", path[:, 2], centre / centre[:, 2:]))
    depth = mapped[..., 2] * np.where(sign == 0, 1.0, sign)[:, None]
    points = mapped[..., :2] / np.where(np.abs(mapped[..., 2:]) > 1e-9, mapped[..., 2:], 1.0)
    points = points if distort is None else distort(points)
    limit = np.array([size.width, size.height])
    inside = (depth > 1e-9) & (points >= 0).all(2) & (points < limit).all(2)
    result: Matrix = np.where(inside[..., None], points, 0.0)
    return result
