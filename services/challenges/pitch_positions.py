"""Where ball and people are on the pitch, in metres, in every sampled frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.challenges.shirts import teams_by_shirt
from services.pitch import BALL, GOALKEEPER, REFEREE, TEMPLATE
from services.results import FrameResult, Keypoints
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, inverse, project
from services.tracking.clip import fill_clip
from services.tracking.interpolation.fill import FilledClip

AROUND_M = 8.0
"""How far from the pitch a ball may lie."""
BESIDE_M = 3.0
"""How far from it players may stand ..."""
MIN_ON_PITCH = 0.8
"""... and the share of them that does, or the camera is taken to be wrong."""
MIN_APART_M = 2.0
"""How much nearer to a goal the players of one team stand on average, or it is not known whose goal it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame. Positions are on the template's pitch, to which a real one is stretched.

    Attributes:
        frame: Its number in the source.
        ball: (2,) metres, or None where ball or camera is not known.
        ids: (n,) track ids of players and goalkeepers.
        feet: (n, 2) metres; empty where the camera is not known.
        teams: (n,) 0 or 1; -1 for one whose team is not known.
    """

    frame: int
    ball: Matrix | None
    ids: npt.NDArray[np.int64]
    feet: Matrix
    teams: npt.NDArray[np.int64]

    def team_of(self, track: int) -> int | None:
        """The team of a track that is there; None where it is not known."""
        (found,) = self.teams[self.ids == track]
        return int(found) if found >= 0 else None


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
    moments = [_moment(number, result, filled, size) for number, result in seen]
    teams = teams_by_shirt(filled, results)
    teams |= _teams_of_goalkeepers(filled, moments, teams)
    return [replace(moment, teams=_teams(moment.ids, teams)) for moment in moments]


def _teams(ids: npt.NDArray[np.int64], teams: Mapping[int, int]) -> npt.NDArray[np.int64]:
    return np.array([teams.get(int(track), -1) for track in ids], np.int64)


def _teams_of_goalkeepers(
    filled: FilledClip, moments: Sequence[Moment], teams: Mapping[int, int]
) -> dict[int, int]:
    """A goalkeeper belongs to the team whose players are nearer to his goal; their shirts do not tell."""
    along: dict[int, list[float]] = {0: [], 1: []}
    keepers: dict[int, list[float]] = {}
    tracks = {int(track) for track in np.unique(filled.ids[filled.classes == GOALKEEPER])}
    for moment in moments:
        for track, (x, _) in zip(moment.ids.tolist(), moment.feet, strict=True):
            if track in teams:
                along[teams[track]].append(float(x))
            elif track in tracks:
                keepers.setdefault(track, []).append(float(x))
    if not along[0] or not along[1]:
        return {}
    first, second = np.mean(along[0]), np.mean(along[1])
    if abs(first - second) < MIN_APART_M:
        return {}
    left = 0 if first < second else 1
    half = TEMPLATE.size_m[0] / 2
    return {track: left if np.median(places) < half else 1 - left for track, places in keepers.items()}


def _moment(number: int, result: FrameResult, filled: FilledClip, size: PictureSize) -> Moment:
    first, end = np.searchsorted(filled.frame, [result.index, result.index + 1])
    classes, ids, boxes = filled.classes[first:end], filled.ids[first:end], filled.boxes[first:end]
    points = filled.keypoints[result.index]
    seen = (points != 0).any(axis=1)
    camera = fit_homography(Keypoints(points.astype(np.float32), seen.astype(np.float32)), size, filled.pitch)
    people = (classes != BALL) & (classes != REFEREE)
    if camera is None:
        return _nowhere(number)
    ground = project(inverse(camera), np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1))
    ground = ground * (TEMPLATE.size_m / filled.pitch.size_m)
    ball, feet = ground[classes == BALL], ground[people]
    if not len(feet) or _within(feet, BESIDE_M).mean() < MIN_ON_PITCH:
        return _nowhere(number)
    known = len(ball) > 0 and bool(_within(ball[:1], AROUND_M)[0])
    usable = np.isfinite(feet).all(axis=1)
    ids = ids[people][usable]
    return Moment(number, ball[0] if known else None, ids, feet[usable], np.full(len(ids), -1, np.int64))


def _nowhere(number: int) -> Moment:
    """A frame whose camera is not known."""
    return Moment(number, None, np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0, np.int64))


def _within(points: Matrix, metres: float) -> npt.NDArray[np.bool_]:
    """Which points (n, 2) lie on the pitch or that near to it; a NaN does not."""
    return np.asarray(((points >= -metres) & (points <= TEMPLATE.size_m + metres)).all(axis=1), np.bool_)
