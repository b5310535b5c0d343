"""The pitch: 32 numbered vertices, the lines between them, and the object classes.

There are two pitches: the template of the wire contract, 12000 x 7000 cm, which rendered clips show, and the
standard pitch of real matches, 105 x 68 m (IFAB, Laws of the Game, law 1; the size that FIFA and UEFA ask
for). The numbers and their order are the same.

The origin is the far left corner as the main camera sees it, x runs along the touchline and y from the far
touchline to the near one. Vertex ``i`` here is keypoint ``i`` of an answer, counted from 0. Lengths are in
centimetres where a name says so.

This module depends on numpy only, so that any layer may import it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "BALL",
    "CENTRE",
    "CIRCLE_RADIUS_CM",
    "CLASS_NAMES",
    "FLIP_INDEX",
    "GOALKEEPER",
    "KEYPOINT_COUNT",
    "LENGTH_CM",
    "PEOPLE",
    "PLAYER",
    "PitchGeometry",
    "REFEREE",
    "SEGMENTS",
    "STANDARD",
    "TEMPLATE",
    "VERTICES_CM",
    "WIDTH_CM",
    "pitch_polylines",
]

BALL: Final = 0
"""Class id on the wire."""
GOALKEEPER: Final = 1
"""Class id on the wire."""
PLAYER: Final = 2
"""Class id on the wire."""
REFEREE: Final = 3
"""Class id on the wire."""

CLASS_NAMES: Final[tuple[str, ...]] = ("ball", "goalkeeper", "player", "referee")
"""Names by ``class_id``."""

PEOPLE: Final[tuple[int, ...]] = (GOALKEEPER, PLAYER, REFEREE)
"""The classes that are people."""

LENGTH_CM: Final = 12000.0
"""Length of the template's pitch in centimetres, as the validator's is."""
WIDTH_CM: Final = 7000.0
"""Its width, centimetres."""
CIRCLE_RADIUS_CM: Final = 915.0
"""Radius of its centre circle, centimetres."""

_PENALTY_BOX_WIDTH: Final = 4100.0
"""Centimetres, as the following: along the goal line."""
_PENALTY_BOX_LENGTH: Final = 2015.0
"""Into the field."""
_GOAL_BOX_WIDTH: Final = 1832.0
"""Along the goal line."""
_GOAL_BOX_LENGTH: Final = 550.0
"""Into the field."""
_PENALTY_SPOT: Final = 1100.0
"""From the goal line."""

CENTRE: Final[tuple[float, float]] = (LENGTH_CM / 2, WIDTH_CM / 2)


LINE_STEP_M: Final = 0.5
"""Distance of points on the lines, metres: less than a pixel apart at the far side of most pictures."""


@dataclass(frozen=True, slots=True)
class _Measures:
    """Lengths of a pitch in centimetres; `front` is the distance of vertices 11 and 12 from the middle."""

    length: float
    width: float
    penalty_box: tuple[float, float]
    goal_box: tuple[float, float]
    penalty_spot: float
    front: float


_TEMPLATE: Final = _Measures(
    LENGTH_CM,
    WIDTH_CM,
    (_PENALTY_BOX_LENGTH, _PENALTY_BOX_WIDTH),
    (_GOAL_BOX_LENGTH, _GOAL_BOX_WIDTH),
    _PENALTY_SPOT,
    _GOAL_BOX_WIDTH / 2,
)
_STANDARD: Final = _Measures(
    10500.0, 6800.0, (1650.0, 4032.0), (550.0, 1832.0), 1100.0, math.sqrt(915.0**2 - 550.0**2)
)
"""On real pitches the public labels have vertices 11, 12, 19 and 20 where the penalty arc meets the box."""


def _vertices(of: _Measures) -> npt.NDArray[np.float64]:
    """Lay out the 32 vertices in the order of the contract."""
    middle, half = of.width / 2, of.length / 2
    box, box_width = of.penalty_box
    goal, goal_width = of.goal_box
    penalty_far, penalty_near = middle - box_width / 2, middle + box_width / 2
    goal_far, goal_near = middle - goal_width / 2, middle + goal_width / 2
    goal_line = (0.0, penalty_far, goal_far, goal_near, penalty_near, of.width)
    box_front = (penalty_far, middle - of.front, middle + of.front, penalty_near)
    halfway_line = (0.0, middle - CIRCLE_RADIUS_CM, middle + CIRCLE_RADIUS_CM, of.width)

    points: list[tuple[float, float]] = [(0.0, y) for y in goal_line]
    points += [(goal, goal_far), (goal, goal_near)]
    points += [(of.penalty_spot, middle)]
    points += [(box, y) for y in box_front]
    points += [(half, y) for y in halfway_line]
    points += [(of.length - box, y) for y in box_front]
    points += [(of.length - of.penalty_spot, middle)]
    points += [(of.length - goal, goal_far), (of.length - goal, goal_near)]
    points += [(of.length, y) for y in goal_line]
    points += [(half - CIRCLE_RADIUS_CM, middle), (half + CIRCLE_RADIUS_CM, middle)]
    vertices = np.array(points, dtype=np.float64)
    vertices.setflags(write=False)
    return vertices


VERTICES_CM: Final[npt.NDArray[np.float64]] = _vertices(_TEMPLATE)
"""The vertices of the template, shape (32, 2), in centimetres; read-only."""


KEYPOINT_COUNT: Final = 32
"""Vertices of the template, each of which is one keypoint."""


def _flip_index() -> tuple[int, ...]:
    """For every vertex, the index of its mirror image about the halfway line."""
    mirrored = VERTICES_CM * (-1.0, 1.0) + (LENGTH_CM, 0.0)
    distances = np.linalg.norm(mirrored[:, None, :] - VERTICES_CM[None, :, :], axis=2)
    return tuple(int(index) for index in distances.argmin(axis=1))


FLIP_INDEX: Final[tuple[int, ...]] = _flip_index()
"""``keypoints[list(FLIP_INDEX)]`` are the keypoints of the horizontally mirrored picture, in order."""

SEGMENTS: Final[tuple[tuple[int, int], ...]] = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)),  # left goal line
    *((2, 6), (6, 7), (7, 3)),  # left goal box
    *((1, 9), (9, 10), (10, 11), (11, 12), (12, 4)),  # left penalty box
    *((13, 14), (14, 15), (15, 16)),  # halfway line
    *((25, 17), (17, 18), (18, 19), (19, 20), (20, 28)),  # right penalty box
    *((26, 22), (22, 23), (23, 27)),  # right goal box
    *((24, 25), (25, 26), (26, 27), (27, 28), (28, 29)),  # right goal line
    *((0, 13), (13, 24)),  # far touchline
    *((5, 16), (16, 29)),  # near touchline
)
"""Straight lines to draw, as pairs of vertex indices."""


def _arc(centre: tuple[float, float], start: float, stop: float, points: int) -> npt.NDArray[np.float64]:
    """Points of a circle of the centre circle's radius between two angles in radians."""
    angles = np.linspace(start, stop, points)
    arc = np.stack([np.cos(angles), np.sin(angles)], axis=1) * CIRCLE_RADIUS_CM
    return np.asarray(arc + centre, dtype=np.float64)


def _polylines(of: _Measures) -> list[npt.NDArray[np.float64]]:
    """Every white line of a pitch as open polylines, each of shape (N, 2), in centimetres."""
    vertices, middle = _vertices(of), of.width / 2
    lines = [vertices[list(pair)] for pair in SEGMENTS]
    lines.append(_arc((of.length / 2, middle), 0.0, 2 * math.pi, 73))
    half_angle = math.acos((of.penalty_box[0] - of.penalty_spot) / CIRCLE_RADIUS_CM)
    if half_angle > 0:  # the contract's box is so long that the arc only touches it
        lines.append(_arc((of.penalty_spot, middle), -half_angle, half_angle, 25))
        spot = (of.length - of.penalty_spot, middle)
        lines.append(_arc(spot, math.pi - half_angle, math.pi + half_angle, 25))
    return lines


def pitch_polylines() -> list[npt.NDArray[np.float64]]:
    """Every white line of the template as open polylines, each of shape (N, 2), in centimetres."""
    return _polylines(_TEMPLATE)


def _line_points(of: _Measures) -> npt.NDArray[np.float64]:
    """Points `LINE_STEP_M` apart on all lines, in metres."""
    points = []
    for line in _polylines(of):
        for start, end in itertools.pairwise(line / 100):
            steps = max(1, round(float(np.linalg.norm(end - start)) / LINE_STEP_M))
            points.append(start + (end - start) * (np.arange(steps) / steps)[:, None])
    return np.concatenate(points)


@dataclass(frozen=True, slots=True, eq=False)
class PitchGeometry:
    """Where the vertices and the lines of a pitch lie.

    Attributes:
        name: `template` or `standard`.
        vertices_m: (32, 2) metres, in the order of the contract.
        size_m: (2,) length and width in metres.
        line_points_m: (n, 2) points on all lines, `LINE_STEP_M` apart, in metres.
    """

    name: str
    vertices_m: npt.NDArray[np.float64]
    size_m: npt.NDArray[np.float64]
    line_points_m: npt.NDArray[np.float64]


def _geometry(name: str, of: _Measures) -> PitchGeometry:
    return PitchGeometry(name, _vertices(of) / 100, np.array([of.length, of.width]) / 100, _line_points(of))


TEMPLATE: Final = _geometry("template", _TEMPLATE)
"""The wire contract's pitch, 120 x 70 m, which rendered clips show."""
STANDARD: Final = _geometry("standard", _STANDARD)
"""The pitch of real matches, 105 x 68 m."""
