"""The camera of every frame of a shot, from the keypoints of its samples.

Where a camera that stands still explains the keypoints as well as free homographies do, its pan, tilt and
zoom are found for each sample and led on smoothly; otherwise the homographies are moved on between samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.results import FrameResult
from services.tracking.camera.homography import RANSAC_PX, VERTICES_M, Matrix, PictureSize, cameras
from services.tracking.camera.pinhole import (
    CameraReading,
    FixedCamera,
    decompose_homography,
    estimate_fixed_camera,
    refine,
)
from services.tracking.interpolation.cubic_curves import CubicCurves

LEAST_POINTS = 3
"""Keypoints that tell pan, tilt and zoom once the place is known."""
AGREEING = 0.5
"""Share of a sample's keypoints that must agree with its camera."""
WORSE = 1.5
"""How much worse than free homographies a standing camera may explain the keypoints, as a factor ..."""
WORSE_PX = 1.0
"""... and in pixels of a picture 1280 wide."""
JUMP = 0.03
"""A pose that leaves the course of its neighbours by this share of the width, and comes back, is dropped."""


def camera_path(
    results: Sequence[FrameResult],
    fits: Sequence[Matrix | None],
    first: int,
    end: int,
    size: PictureSize,
    readings: Sequence[CameraReading | None] | None = None,
) -> Matrix | None:
    """The camera of the frames `first` to before `end`.

    Args:
        results: The samples of one shot, by rising frame number.
        fits: The homography of each, None where there is none.
        first: The shot's first frame.
        end: The frame after its last one.
        size: The source picture.
        readings: What `decompose_homography` says of each fit, where that was worked out before.

    Returns:
        (end - first, 3, 3) from metres to source pixels; None when there is no fit.
    """
    indices = [result.index - first for result in results]
    if all(fit is None for fit in fits):
        return None
    if readings is None:
        readings = [None if fit is None else decompose_homography(fit, size.centre) for fit in fits]
    posed = _poses(results, fits, readings, size)
    if posed is None:
        return cameras(fits, indices, end - first, size)
    stand, poses, which = posed
    times = np.array(indices, np.float64)[which]
    knots = CubicCurves.single(times)
    # beyond the samples a camera goes on for as long as one step, then it is held
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    at = np.clip(np.arange(end - first, dtype=np.float64), times[0] - step, times[-1] + step)
    return stand.homographies(knots.evaluate(poses, knots.slopes(poses), np.zeros(len(at), np.int64), at))


def _poses(
    results: Sequence[FrameResult],
    fits: Sequence[Matrix | None],
    readings: Sequence[CameraReading | None],
    size: PictureSize,
) -> tuple[FixedCamera, Matrix, npt.NDArray[np.int64]] | None:
    """The stand, the poses of the samples that have one, and which samples those are."""
    guesses = {
        i: found
        for i, (fit, found) in enumerate(zip(fits, readings, strict=True))
        if fit is not None and found is not None
    }
    if not guesses:
        return None
    fitted = np.array(sorted(guesses))
    places = np.stack([guesses[i][0] for i in fitted])
    poses = np.stack([guesses[i][1] for i in fitted])
    poses[:, 0] = np.unwrap(poses[:, 0])
    seen = np.zeros((len(results), len(VERTICES_M), 2))
    there = np.zeros((len(results), len(VERTICES_M)))
    for i, result in enumerate(results):
        if result.keypoints is not None:
            seen[i], there[i] = result.keypoints.points, result.keypoints.scores > 0
    stand = estimate_fixed_camera(places, poses, VERTICES_M, seen[fitted], there[fitted], size.centre)
    enough = np.flatnonzero(there.sum(1) >= LEAST_POINTS)
    enough = np.union1d(enough, fitted)
    times = np.array([result.index for result in results], np.float64)
    start = np.stack([np.interp(times[enough], times[fitted], poses[:, k]) for k in range(3)], 1)
    start[np.searchsorted(enough, fitted)] = poses
    turned = refine(stand, start, VERTICES_M, seen[enough], there[enough])
    errors = _errors(stand.homographies(turned), seen[enough], there[enough])
    if not _explains(errors[np.searchsorted(enough, fitted)], fits, fitted, seen, there, size):
        return None
    near = errors < RANSAC_PX * size.width / 1280
    sure = (near.sum(1) >= LEAST_POINTS) & (near.sum(1) >= AGREEING * there[enough].sum(1))
    sure &= np.isfinite(turned).all(1)
    sure[sure] &= _on_course(times[enough][sure], turned[sure], size)
    return (stand, turned[sure], enough[sure]) if sure.any() else None


def _errors(cameras: Matrix, seen: Matrix, there: Matrix) -> Matrix:
    """(n, k) distances in pixels; infinite where a keypoint was not seen."""
    mapped = VERTICES_M @ cameras[:, :, :2].transpose(0, 2, 1) + cameras[:, None, :, 2]
    depth = np.where(np.abs(mapped[..., 2:]) < 1e-9, 1e-9, mapped[..., 2:])
    return np.where(there > 0, np.linalg.norm(mapped[..., :2] / depth - seen, axis=2), np.inf)


def _explains(
    errors: Matrix,
    fits: Sequence[Matrix | None],
    fitted: npt.NDArray[np.int64],
    seen: Matrix,
    there: Matrix,
    size: PictureSize,
) -> bool:
    """Whether a standing camera says where the keypoints are about as well as the homographies do."""
    free = _errors(
        np.stack([fit for i in fitted if (fit := fits[i]) is not None]), seen[fitted], there[fitted]
    )
    counted = free < RANSAC_PX * size.width / 1280
    if not counted.any():
        return False
    limit = WORSE * float(np.median(free[counted])) + WORSE_PX * size.width / 1280
    return float(np.median(errors[counted])) <= limit


def _on_course(times: Matrix, poses: Matrix, size: PictureSize) -> npt.NDArray[np.bool_]:
    """Which poses do not leave the course of their neighbours and come back."""
    kept = np.ones(len(poses), bool)
    if len(poses) < 3:
        return kept
    share = ((times[1:-1] - times[:-2]) / (times[2:] - times[:-2]))[:, None]
    expected = poses[:-2] + share * (poses[2:] - poses[:-2])
    focal = np.exp(poses[1:-1, 2:])
    pixels = np.concatenate([focal, focal, np.full_like(focal, size.width / 2)], 1)
    off = np.abs((poses[1:-1] - expected) * pixels).max(1)
    apart = np.abs((poses[2:] - poses[:-2]) * pixels).max(1)
    kept[1:-1] = off <= JUMP * size.width + 0.5 * apart
    return kept
