"""The camera of every frame of a shot, from the keypoints of its sampled frames.

Where a fixed camera explains the keypoints about as well as free homographies do, its pan, tilt and zoom are
estimated for each sampled frame and follow a smooth curve; otherwise the homographies are interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import TEMPLATE, PitchGeometry
from services.results import FrameResult
from services.tracking.camera.homography import RANSAC_PX, Matrix, PictureSize, homography_path
from services.tracking.camera.pinhole import (
    Decomposition,
    FixedCamera,
    decompose_homography,
    estimate_fixed_camera,
    refine,
)
from services.tracking.interpolation.cubic_curves import CubicCurves

MIN_POSE_POINTS: Final = 3
"""Keypoints that determine pan, tilt and zoom once the camera position is known."""
MIN_AGREEING: Final = 0.5
"""Minimum share of a sampled frame's keypoints that agree with its camera."""
MAX_WORSE: Final = 1.5
"""A fixed camera may have this many times the error of free homographies ..."""
MAX_WORSE_PX: Final = 1.0
"""... plus this many pixels of a picture 1280 wide."""
MAX_JUMP: Final = 0.03
"""A pose that differs by this share of the width from what its neighbours suggest, and back, is dropped."""


def camera_path(
    results: Sequence[FrameResult],
    fits: Sequence[Matrix | None],
    first: int,
    end: int,
    size: PictureSize,
    decompositions: Sequence[Decomposition | None] | None = None,
    pitch: PitchGeometry = TEMPLATE,
) -> Matrix | None:
    """The camera of the frames `first` to before `end`.

    Args:
        results: The sampled frames of one shot, by rising frame number.
        fits: The homography of each, None where there is none.
        first: The shot's first frame.
        end: The frame after its last one.
        size: The source picture.
        decompositions: What `decompose_homography` says of each fit, where that was worked out before.
        pitch: The pitch that was fitted.

    Returns:
        (end - first, 3, 3) from metres to source pixels; None when there is no fit.
    """
    indices = [result.index - first for result in results]
    if all(fit is None for fit in fits):
        return None
    if decompositions is None:
        decompositions = [None if fit is None else decompose_homography(fit, size.centre) for fit in fits]
    posed = _poses(results, fits, decompositions, size, pitch.vertices_m)
    if posed is None:
        return homography_path(fits, indices, end - first, size)
    fixed, poses, which = posed
    times = np.array(indices, np.float64)[which]
    knots = CubicCurves.single(times)
    # beyond the sampled frames a camera goes on for as long as one step, then it is held
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    at = np.clip(np.arange(end - first, dtype=np.float64), times[0] - step, times[-1] + step)
    return fixed.homographies(knots.evaluate(poses, knots.slopes(poses), np.zeros(len(at), np.int64), at))


def _poses(
    results: Sequence[FrameResult],
    fits: Sequence[Matrix | None],
    decompositions: Sequence[Decomposition | None],
    size: PictureSize,
    ground: Matrix,
) -> tuple[FixedCamera, Matrix, npt.NDArray[np.int64]] | None:
    """The fixed camera, the poses of the sampled frames that have one, and the numbers of these frames."""
    guesses = {
        i: found
        for i, (fit, found) in enumerate(zip(fits, decompositions, strict=True))
        if fit is not None and found is not None
    }
    if not guesses:
        return None
    fitted = np.array(sorted(guesses))
    places = np.stack([guesses[i][0] for i in fitted])
    poses = np.stack([guesses[i][1] for i in fitted])
    poses[:, 0] = np.unwrap(poses[:, 0])
    seen = np.zeros((len(results), len(ground), 2))
    there = np.zeros((len(results), len(ground)))
    for i, result in enumerate(results):
        if result.keypoints is not None:
            seen[i], there[i] = result.keypoints.points, result.keypoints.scores > 0
    fixed = estimate_fixed_camera(places, poses, ground, seen[fitted], there[fitted], size.centre)
    enough = np.flatnonzero(there.sum(1) >= MIN_POSE_POINTS)
    enough = np.union1d(enough, fitted)
    times = np.array([result.index for result in results], np.float64)
    start = np.stack([np.interp(times[enough], times[fitted], poses[:, k]) for k in range(3)], 1)
    start[np.searchsorted(enough, fitted)] = poses
    turned = refine(fixed, start, ground, seen[enough], there[enough])
    errors = _errors(fixed.homographies(turned), ground, seen[enough], there[enough])
    if not _explains(errors[np.searchsorted(enough, fitted)], fits, fitted, ground, seen, there, size):
        return None
    near = errors < RANSAC_PX * size.width / 1280
    sure = (near.sum(1) >= MIN_POSE_POINTS) & (near.sum(1) >= MIN_AGREEING * there[enough].sum(1))
    sure &= np.isfinite(turned).all(1)
    sure[sure] &= _on_course(times[enough][sure], turned[sure], size)
    return (fixed, turned[sure], enough[sure]) if sure.any() else None


def _errors(homography_path: Matrix, ground: Matrix, seen: Matrix, there: Matrix) -> Matrix:
    """(n, k) distances in pixels; infinite where a keypoint was not seen."""
    mapped = ground @ homography_path[:, :, :2].transpose(0, 2, 1) + homography_path[:, None, :, 2]
    depth = np.where(np.abs(mapped[..., 2:]) < 1e-9, 1e-9, mapped[..., 2:])
    return np.where(there > 0, np.linalg.norm(mapped[..., :2] / depth - seen, axis=2), np.inf)


def _explains(
    errors: Matrix,
    fits: Sequence[Matrix | None],
    fitted: npt.NDArray[np.int64],
    ground: Matrix,
    seen: Matrix,
    there: Matrix,
    size: PictureSize,
) -> bool:
    """Whether a fixed camera explains the keypoints about as well as the homographies do."""
    free = _errors(
        np.stack([fit for i in fitted if (fit := fits[i]) is not None]), ground, seen[fitted], there[fitted]
    )
    counted = free < RANSAC_PX * size.width / 1280
    if not counted.any():
        return False
    limit = MAX_WORSE * float(np.median(free[counted])) + MAX_WORSE_PX * size.width / 1280
    return float(np.median(errors[counted])) <= limit


def _on_course(times: Matrix, poses: Matrix, size: PictureSize) -> npt.NDArray[np.bool_]:
    """Which poses do not jump away from their neighbours and back."""
    kept = np.ones(len(poses), bool)
    if len(poses) < 3:
        return kept
    share = ((times[1:-1] - times[:-2]) / (times[2:] - times[:-2]))[:, None]
    expected = poses[:-2] + share * (poses[2:] - poses[:-2])
    focal = np.exp(poses[1:-1, 2:])
    pixels = np.concatenate([focal, focal, np.full_like(focal, size.width / 2)], 1)
    off = np.abs((poses[1:-1] - expected) * pixels).max(1)
    apart = np.abs((poses[2:] - poses[:-2]) * pixels).max(1)
    kept[1:-1] = off <= MAX_JUMP * size.width + 0.5 * apart
    return kept
