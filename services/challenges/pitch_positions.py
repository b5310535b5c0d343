"""Where ball and people are on the pitch, in metres, in every sampled frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.pitch import BALL, REFEREE, TEMPLATE
from services.results import FrameResult, Keypoints
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, inverse, project
from services.tracking.clip import fill_clip
from services.tracking.interpolation.fill import FilledClip

AROUND_M = 8.0
"""How far from the pitch a ball may lie."""
BESIDE_M = 3.0
"""How far from it players may stand ..."""
LEAST_ON_PITCH = 0.8
"""... and the share of them that does, or the camera is taken to be wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame. Positions are on the template's pitch, to which a real one is stretched.

    Attributes:
        frame: Its number in the source.
        ball: (2,) metres, or None where ball or camera is not known.
        ids: (n,) track ids of players and goalkeepers.
        feet: (n, 2) metres; empty where the camera is not known.
    """

    frame: int
    ball: Matrix | None
    ids: npt.NDArray[np.int64]
    feet: Matrix


def pitch_positions(
    seen: Sequence[tuple[int, FrameResult]], size: PictureSize, count: int, stride: int
) -> list[Moment]:
    """Tracks and cameras of the whole clip, on the pitch.

    A ball in the air is taken to be on the ground behind itself; there is no telling from one camera.

    Args:
        seen: (frame number, result) by rising number; `result.index` counts the frames that there are.
        size: The source picture.
        count: Frames that there are.
        stride: Distance of the results, in frames.
    """
    results = [result for _, result in seen]
    if not results:
        return []
    filled = fill_clip(results, count, size, stride=stride)
    return [_moment(number, result, filled, size) for number, result in seen]


def _moment(number: int, result: FrameResult, filled: FilledClip, size: PictureSize) -> Moment:
    first, end = np.searchsorted(filled.frame, [result.index, result.index + 1])
    classes, ids, boxes = filled.classes[first:end], filled.ids[first:end], filled.boxes[first:end]
    points = filled.keypoints[result.index]
    seen = (points != 0).any(axis=1)
    camera = fit_homography(Keypoints(points.astype(np.float32), seen.astype(np.float32)), size, filled.pitch)
    people = (classes != BALL) & (classes != REFEREE)
    if camera is None:
        return Moment(number, None, ids[people][:0], np.zeros((0, 2)))
    ground = project(inverse(camera), np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1))
    ground = ground * (TEMPLATE.size_m / filled.pitch.size_m)
    ball, feet = ground[classes == BALL], ground[people]
    if not len(feet) or _within(feet, BESIDE_M).mean() < LEAST_ON_PITCH:
        return Moment(number, None, ids[people][:0], np.zeros((0, 2)))
    known = len(ball) > 0 and bool(_within(ball[:1], AROUND_M)[0])
    usable = np.isfinite(feet).all(axis=1)
    return Moment(number, ball[0] if known else None, ids[people][usable], feet[usable])


def _within(points: Matrix, metres: float) -> npt.NDArray[np.bool_]:
    """Which points (n, 2) lie on the pitch or that near to it; a NaN does not."""
    return np.asarray(((points >= -metres) & (points <= TEMPLATE.size_m + metres)).all(axis=1), np.bool_)
