"""Lens distortion: how far a shot's lens bends straight lines.

A real lens moves what lies far from the picture's middle a little towards it or away from it, which no
homography does. The distortion is one number for a shot: the one with which homographies fit the keypoints of
some sampled frames best.

Model: radial, of one coefficient, from the distorted to the undistorted radius. Source: Hartley and
Zisserman, Multiple View Geometry, 2nd edition, section 7.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from services.pitch import PitchGeometry
from services.results import FrameResult, Keypoints
from services.tracking.camera.homography import MIN_POINTS, RANSAC_PX, Matrix, PictureSize, is_view, project

__all__ = ["Lens", "estimate_lens", "undistorted"]

MIN_KEYPOINTS: Final = 8
"""Keypoints from which on a sampled frame says something about the lens: a homography fits four exactly."""
MIN_FRAMES: Final = 5
"""Sampled frames that have to say something."""
MAX_FRAMES: Final = 12
"""Sampled frames, spread over the shot, that are asked."""
TRIED: Final = (-0.04, -0.02, 0.0, 0.02, 0.04, 0.06, 0.08)
"""Coefficients that are tried: those of fourteen real matches lie between 0 and 0.05."""
MIN_GAIN: Final = 0.08
"""Share of the distances that a coefficient has to take away; else the lens counts as free of distortion."""
ROUNDS: Final = 10
"""Iterations of the inverse: a hundredth of a pixel is left at the corner for the largest coefficient."""
MAX_DISTANCE: Final = 2.0
"""Distance from the middle from which on points, which lie outside the picture, are stretched no more."""
EXACT_PX: Final = 0.05
"""Frames whose keypoints lie nearer to their homography than that were moved onto it: they tell no lens."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A lens.

    Attributes:
        coefficient: Of the square of the distance from the middle, in halves of the picture's longer side: a
            point at distance r lies at r (1 + coefficient r²) in a picture without distortion. Points
            beyond r = 2 are stretched alike.
        size: The source picture.
    """

    coefficient: float
    size: PictureSize

    def undistort(self, points: Matrix) -> Matrix:
        """Where points (..., 2) in source pixels would lie without distortion."""
        apart = points - self.size.centre
        return self.size.centre + apart * self._stretch(apart)

    def distort(self, points: Matrix) -> Matrix:
        """The inverse: where points (..., 2) of a picture without distortion lie, in source pixels."""
        straight = points - self.size.centre
        apart = straight
        for _ in range(ROUNDS):
            apart = straight / self._stretch(apart)
        return self.size.centre + apart

    def _stretch(self, apart: Matrix) -> Matrix:
        half = max(self.size.width, self.size.height) / 2
        square = (apart**2).sum(-1, keepdims=True) / half**2
        return np.asarray(1 + self.coefficient * np.minimum(square, MAX_DISTANCE**2), np.float64)


def estimate_lens(
    results: Sequence[FrameResult], fits: Sequence[Matrix | None], size: PictureSize, pitch: PitchGeometry
) -> Lens | None:
    """The lens of a shot; None where no distortion explains its keypoints clearly better than none.

    Args:
        results: Its sampled frames.
        fits: The homography of each, None where there is none.
        size: The source picture.
        pitch: The pitch that was fitted.
    """
    views = [
        view
        for result, fit in zip(results, fits, strict=True)
        if fit is not None
        and (view := _agreeing(result.keypoints, fit, size, pitch)) is not None
        and np.linalg.norm(project(fit, view[0]) - view[1], axis=1).mean() > EXACT_PX
    ]
    if len(views) < MIN_FRAMES:
        return None
    chosen = np.unique(np.linspace(0, len(views) - 1, MAX_FRAMES).round().astype(np.int64))
    asked = [views[i] for i in chosen]
    known: dict[int, float] = {}

    def distance(tried: int) -> float:
        if tried not in known:
            inside = 0 <= tried < len(TRIED)
            known[tried] = _distance(Lens(TRIED[tried], size), asked) if inside else np.inf
        return known[tried]

    # downhill from no distortion: most shots end there after three
    best = TRIED.index(0.0)
    while distance(nearest := min((best - 1, best + 1), key=distance)) < distance(best):
        best = nearest
    without = distance(TRIED.index(0.0))
    if not np.isfinite(without) or not distance(best) < (1 - MIN_GAIN) * without:
        return None
    return Lens(_lowest(best, [distance(best - 1), distance(best), distance(best + 1)]), size)


def undistorted(
    results: Sequence[FrameResult],
    fits: Sequence[Matrix | None],
    lens: Lens,
    pitch: PitchGeometry,
) -> tuple[list[FrameResult], list[Matrix | None]]:
    """Sampled frames as a lens without distortion would show their keypoints, and their homographies."""
    straight: list[FrameResult] = []
    fitted: list[Matrix | None] = []
    for result, fit in zip(results, fits, strict=True):
        keypoints = result.keypoints
        if keypoints is not None:
            points = np.where(
                keypoints.scores[:, None] > 0, lens.undistort(keypoints.points.astype(np.float64)), 0.0
            )
            result = replace(result, keypoints=Keypoints(points.astype(np.float32), keypoints.scores))
        view = None if fit is None else _agreeing(keypoints, fit, lens.size, pitch, minimum=MIN_POINTS)
        refitted = None if view is None else _fitted(lens, *view)
        if view is None or refitted is None or not is_view(refitted, view[0], lens.size):
            refitted = None
        straight.append(result)
        fitted.append(refitted)
    return straight, fitted


def _agreeing(
    keypoints: Keypoints | None,
    fit: Matrix,
    size: PictureSize,
    pitch: PitchGeometry,
    minimum: int = MIN_KEYPOINTS,
) -> tuple[Matrix, Matrix] | None:
    """Metres and pixels of the keypoints that agree with a homography; None where they are too few."""
    if keypoints is None:
        return None
    found = np.flatnonzero(keypoints.scores > 0)
    seen = keypoints.points[found].astype(np.float64)
    away = np.linalg.norm(project(fit, pitch.vertices_m[found]) - seen, axis=1)
    # distortion moves keypoints, so that some of them agree less than noise alone would let them
    agree = away < 2 * RANSAC_PX * size.width / 1280
    return (pitch.vertices_m[found[agree]], seen[agree]) if agree.sum() >= minimum else None


def _fitted(lens: Lens, ground: Matrix, seen: Matrix) -> Matrix | None:
    """The homography from metres to undistorted pixels, by least squares."""
    fit, _ = cv2.findHomography(ground, lens.undistort(seen), 0)
    return None if fit is None else np.asarray(fit, np.float64)


def _distance(lens: Lens, views: Sequence[tuple[Matrix, Matrix]]) -> float:
    """The mean distance of keypoints from where homographies have them, in source pixels."""
    sums = count = 0.0
    for ground, seen in views:
        fit = _fitted(lens, ground, seen)
        if fit is not None:
            away = np.linalg.norm(lens.distort(project(fit, ground)) - seen, axis=1)
            sums += float(np.minimum(away, RANSAC_PX * lens.size.width / 1280).sum())
            count += len(seen)
    return sums / count if count else np.inf


def _lowest(best: int, distances: Sequence[float]) -> float:
    """The coefficient at the lowest point of the parabola through the best one and its neighbours."""
    before, here, after = distances
    step = TRIED[1] - TRIED[0]
    curvature = before - 2 * here + after
    if not 0 < curvature < np.inf:
        return TRIED[best]
    return float(TRIED[best] + step * (before - after) / (2 * curvature))
