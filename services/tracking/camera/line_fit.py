"""Homographies held against the painted lines of their picture, and moved onto them.

A few keypoints determine a homography badly where they lie close together; lines cross the whole picture. The
lines of the pitch are projected, and the homography is moved until they lie on painted ones: iterated closest
points on a distance transform (Fitzgibbon, Robust Registration of 2D and 3D Point Sets, 2003), with Tukey's
weights, whose reach shrinks.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import PitchGeometry
from services.results import PaintedLines
from services.tracking.camera.homography import PictureSize

Matrix = npt.NDArray[np.float64]

NEAR_PX: Final = 8.0
"""Distance at which a painted line supports a line of the pitch, pixels of a picture 1280 wide."""
CELL: Final = 4
"""Side of the squares of the array in which one point counts: far lines have many points in few pixels."""
MIN_CELLS: Final = 20
"""Squares with a line of the pitch in them that have to be in the picture."""
MIN_SUPPORT: Final = 0.5
"""Share of the visible lines that has to be painted: of homographies of their own picture nine in ten have
more than .8, of other matches' nine in ten have less than .35 (`touchline_lab.benchmarks.line_support`)."""
GOOD_SUPPORT: Final = 0.7
"""Share from which on a homography is not moved: keypoints are more precise than this search."""
MOVED_SUPPORT: Final = 0.75
"""Share that a moved homography has to reach."""
REACHES: Final = (20.0,) * 4 + (10.0,) * 4 + (5.0,) * 4
"""Distances up to which painted lines attract, pixels of the array, by iteration."""
DAMPING: Final = 0.01
"""Share of the mean curvature that is added in every direction: what no line determines stays as it is."""
MAX_STEP: Final = 0.05
"""Largest change of a parameter in one iteration, in half widths of the picture."""


def line_support(homography: Matrix, lines: PaintedLines, pitch: PitchGeometry) -> float:
    """The share of the pitch's visible lines that is painted, 0 to 1; 0 where too little of it is visible."""
    visible = _visible(_scaled(homography, lines), lines, pitch)
    if len(visible) < MIN_CELLS:
        return 0.0
    near = (NEAR_PX * lines.distances.shape[1] / 1280 + 0.5) * PaintedLines.UNIT
    cells = visible.astype(np.int64)
    return float((lines.distances[cells[:, 1], cells[:, 0]] <= near).mean())


def supported(homography: Matrix, lines: PaintedLines, pitch: PitchGeometry) -> tuple[Matrix, bool] | None:
    """The homography, moved onto the painted lines where it lies beside them.

    Returns:
        The homography and whether it was moved; None where the picture does not show these lines.
    """
    before = line_support(homography, lines, pitch)
    if before >= GOOD_SUPPORT:
        return homography, False
    moved = _moved(homography, lines, pitch)
    after = 0.0 if moved is None else line_support(moved, lines, pitch)
    if moved is not None and after >= max(before, MOVED_SUPPORT):
        return moved, True
    return (homography, False) if before >= MIN_SUPPORT else None


def _scaled(homography: Matrix, lines: PaintedLines) -> Matrix:
    """The same homography to pixels of the array."""
    return np.diag([lines.scale, lines.scale, 1.0]) @ homography


def _visible(camera: Matrix, lines: PaintedLines, pitch: PitchGeometry) -> Matrix:
    """Points of the pitch's lines in the array, (n, 2), one for each square."""
    height, width = lines.distances.shape
    mapped = pitch.line_points_m @ camera[:, :2].T + camera[:, 2]
    ahead = np.linalg.inv(camera) @ PictureSize(width, height).lower_middle
    depth = mapped[:, 2] * np.sign(float(camera[2] @ ahead) * ahead[2])
    points = mapped[depth > 1e-6, :2] / mapped[depth > 1e-6, 2:]
    inside = (points >= 1).all(axis=1) & (points < (width - 2, height - 2)).all(axis=1)
    points = points[inside]
    squares = (points[:, 1] // CELL).astype(np.int64) * width + (points[:, 0] // CELL).astype(np.int64)
    found: Matrix = points[np.unique(squares, return_index=True)[1]]
    return found


def _moved(homography: Matrix, lines: PaintedLines, pitch: PitchGeometry) -> Matrix | None:
    """The homography after all iterations; None where the lines leave the picture or determine nothing."""
    height, width = lines.distances.shape
    away = lines.distances.astype(np.float32) / PaintedLines.UNIT
    by_row, by_column = (np.asarray(slope, np.float64) for slope in np.gradient(away))
    half = width / 2
    norm = np.array([[1 / half, 0, -1], [0, 1 / half, -height / width], [0, 0, 1]])
    back = np.linalg.inv(norm)
    camera = _scaled(homography, lines)
    for reach in REACHES:
        points = _visible(camera, lines, pitch)
        if len(points) < MIN_CELLS:
            return None
        column, row = points.astype(np.int64).T
        off = np.maximum(away[row, column] - 0.5, 0.0)
        weight = np.where(off < reach, (1 - (off / reach) ** 2) ** 2, 0.0)
        x, y = (points @ norm[:2, :2].T + norm[:2, 2]).T
        zero, one = np.zeros_like(x), np.ones_like(x)
        across = np.stack([x, y, one, zero, zero, zero, -x * x, -x * y], 1)
        down = np.stack([zero, zero, zero, x, y, one, -x * y, -y * y], 1)
        slope = half * (by_column[row, column][:, None] * across + by_row[row, column][:, None] * down)
        curvature = (slope * weight[:, None]).T @ slope
        stiff = np.eye(8) * (DAMPING * np.trace(curvature) / 8 + 1e-6)
        step = -np.linalg.solve(curvature + stiff, (slope * weight[:, None]).T @ off)
        change = np.eye(3)
        change.flat[:8] += np.clip(step, -MAX_STEP, MAX_STEP)
        camera = back @ change @ norm @ camera
    moved: Matrix = np.diag([1 / lines.scale, 1 / lines.scale, 1.0]) @ camera
    return moved if np.isfinite(moved).all() else None
