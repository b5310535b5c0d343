"""Score's keypoint score of a GSR answer, which needs the clip but no labels.

Source: score-technologies/score-vision:
final = (.25 K + .4 L + .2 I + .05 S + .1 P) * consistency * (scale + valid) / 2, each from 0 to 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import BALL, PLAYER, TEMPLATE
from touchline_lab.evaluation.painted_lines import Segments

__all__ = ["KeypointScore", "keypoint_score", "kept_keypoints", "logistic", "on_lines"]

Matrix = npt.NDArray[np.float64]

WEIGHTS: Final = {"fit": 0.25, "lines": 0.4, "inside": 0.2, "stability": 0.05, "plausibility": 0.1}
"""What each part of the score weighs."""
NEAR_PX: Final = 25.0
"""A keypoint nearer than this to an earlier one that was kept is dropped, pixels."""
RANSAC_SHARE: Final = 0.01
"""Inlier distance as a share of the picture's width ..."""
RANSAC_PX: Final = 12.0
"""... and at least, pixels."""
CENTRE: Final = 0.02
"""Mean distance, as a share of the picture, at which the logistic gives one half."""
STEEPNESS: Final = 0.0037
"""Its scale."""
WANTED_SHARE: Final = 0.4
"""Share of the frames asked about that need a homography."""
SMALLEST_BOX: Final = (15.0, 40.0)
"""Width and height of the smallest box that counts, pixels; balls are exempt."""
SCORE_BOARD_PX: Final = 150.0
"""Boxes that begin above this row do not count."""
JUMP_PX: Final = 20.0
"""A player moves farther than this from frame to frame where the picture was cut ..."""
CUT_SHARE: Final = 0.5
"""... if this share of the players does."""
IMPLAUSIBLE_PX: Final = 30.0
"""Movement of a player in one frame that is not possible, pixels."""
MAX_GAP: Final = 2
"""Frames between two positions of a player that are compared."""
CALM_PX, RESTLESS_PX = 2.0, 10.0
"""Movements up to the first, and above the second, count fully; those between by half."""


@dataclass(frozen=True, slots=True)
class KeypointScore:
    """The score and its parts, each from 0 to 1.

    Attributes:
        final: The score.
        fit: K: how well one homography of the template explains the keypoints.
        lines: L: how near they are to painted lines.
        inside: I: share of the boxes whose centre is on the pitch.
        stability: S: how little distances between keypoints change within a shot.
        plausibility: P: how little players jump.
        consistency: How little shared keypoints move from frame to frame.
        scale: Mean distance between keypoints over that between people, at most 1.
        valid: Share of the wanted frames that have a homography.
        frames: Frames asked about.
    """

    final: float
    fit: float
    lines: float
    inside: float
    stability: float
    plausibility: float
    consistency: float
    scale: float
    valid: float
    frames: int

    def to_dict(self) -> dict[str, float]:
        """As JSON data."""
        return asdict(self)

    @property
    def losses(self) -> dict[str, float]:
        """How much higher the score would be if one part alone were 1; these do not add up."""
        parts = {name: getattr(self, name) for name in (*WEIGHTS, "consistency", "scale", "valid")}
        return {name: _final(parts | {name: 1.0}) - _final(parts) for name in parts}


def _final(parts: Mapping[str, float]) -> float:
    total = sum(weight * parts[name] for name, weight in WEIGHTS.items())
    return total * parts["consistency"] * (parts["scale"] + parts["valid"]) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """One frame: its kept keypoints (32, 2), NaN for an absent one, and its objects."""

    number: int
    points: Matrix
    objects: Sequence[Mapping[str, Any]]

    @property
    def present(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(~np.isnan(self.points).any(axis=1))

    def players(self) -> dict[int, Matrix]:
        return {one["id"]: _middle(one["bbox"]) for one in self.objects if one["class_id"] == PLAYER}


def keypoint_score(
    frames: Sequence[Mapping[str, Any]],
    lines: Iterable[Segments],
    size: tuple[int, int],
) -> KeypointScore:
    """Score an answer.

    Args:
        frames: The frames of a GSR answer, as they are decoded from JSON, by rising number.
        lines: The painted lines of each of these frames.
        size: Width and height of the picture.
    """
    own = [
        _Frame(frame["frame_number"], kept_keypoints(frame["keypoints"], size), frame["objects"])
        for frame in frames
    ]
    fits: list[float] = []
    on_line: list[float] = []
    inside: list[float] = []
    scales: list[float] = []
    fitted: list[bool] = []
    for frame, segments in zip(own, lines, strict=True):
        found = _homography(frame, size)
        fitted.append(found is not None)
        if found is None:
            continue
        homography, fit = found
        fits.append(fit)
        on_line.append(on_lines(frame.points, segments, size))
        inside.append(_inside(frame, homography))
        scales.append(min(_scale(frame), 1.5))
    shots = _shots(own)
    stability = [_stability([f for f in shot if fitted[own.index(f)]], len(shot)) for shot in shots]
    plausible = [_plausible(shot) for shot in shots]
    weights = [sum(fitted[own.index(frame)] for frame in shot) for shot in shots]
    valid = min(1.0, sum(fitted) / max(1, len(own)) / WANTED_SHARE)
    parts = {
        "fit": _mean(fits, 0.0),
        "lines": _mean(on_line, 0.0),
        "inside": _mean(inside, 0.0),
        "stability": _weighted(stability, weights),
        "plausibility": (_weighted(plausible, weights) + _calmness(own)) / 2,
    }
    consistency = _consistency(own, size)
    scale = min(1.0, _mean(scales, 1.0))
    parts |= {"consistency": consistency, "scale": scale, "valid": valid}
    return KeypointScore(_final(parts) if fits else 0.0, **parts, frames=len(own))


def logistic(distance: float) -> float:
    """1 for a distance of 0, one half at `CENTRE`, 0 far away; in shares of the picture."""
    return float(1.0 / (1.0 + np.exp(min((distance - CENTRE) / STEEPNESS, 700.0))))


def kept_keypoints(keypoints: Sequence[Sequence[float]], size: tuple[int, int]) -> Matrix:
    """Keypoints that count, (32, 2): inside the picture and not near an earlier one; NaN for the others."""
    points = np.array(keypoints, np.float64).reshape(-1, 2)
    there = (points != 0).any(axis=1) & ((points >= 0) & (points < size)).all(axis=1)
    kept = np.full_like(points, np.nan)
    for number in np.flatnonzero(there):
        away = np.linalg.norm(kept - points[number], axis=1)
        if not (away < NEAR_PX).any():
            kept[number] = points[number]
    return kept


def _homography(frame: _Frame, size: tuple[int, int]) -> tuple[Matrix, float] | None:
    """The homography from pixels to the template, scaled to the picture, and K of this frame."""
    present = frame.present
    if len(present) < 4:
        return None
    length, width = TEMPLATE.size_m * 100
    # the scorer lays the template's width onto the picture's width, and its length onto the height
    template = TEMPLATE.vertices_m[present] * 100 * [size[0] / width, size[1] / length]
    points = frame.points[present]
    limit = max(RANSAC_PX, RANSAC_SHARE * size[0])
    homography, inliers = cv2.findHomography(points, template, cv2.RANSAC, limit)
    if homography is None or inliers is None:
        return None
    mapped = cv2.perspectiveTransform(points[:, None], homography)[:, 0]
    error = float(np.linalg.norm(mapped - template, axis=1).mean())
    fit = (float(inliers.mean()) + max(0.0, 1.0 - error / 100)) / 2
    return np.asarray(homography, np.float64), fit


def on_lines(points: Matrix, segments: Segments, size: tuple[int, int]) -> float:
    """L of one frame: the logistic of the mean distance of the keypoints to their nearest segments."""
    present = points[~np.isnan(points).any(axis=1)] / size
    if not len(segments) or not len(present):
        return 0.0
    starts, ends = segments[:, :2] / size, segments[:, 2:] / size
    along = ends - starts
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = (((present[:, None] - starts) * along).sum(axis=2) / length).clip(0, 1)
    away = np.linalg.norm(present[:, None] - (starts + share[..., None] * along), axis=2)
    return logistic(float(away.min(axis=1).mean()))


def _counted(frame: _Frame) -> list[Matrix]:
    """The centres of the boxes that count."""
    centres = []
    for one in frame.objects:
        x1, y1, x2, y2 = one["bbox"]
        large = one["class_id"] == BALL or (x2 - x1 >= SMALLEST_BOX[0] and y2 - y1 >= SMALLEST_BOX[1])
        if large and y1 > SCORE_BOARD_PX:
            centres.append(_middle(one["bbox"]))
    return centres


def _inside(frame: _Frame, homography: Matrix) -> float:
    """I of one frame. The outline is that of the template in centimetres, as in the scorer."""
    centres = _counted(frame)
    if not centres:
        return 0.0
    outline = (TEMPLATE.vertices_m[[0, 5, 29, 24]] * 100).astype(np.float32)[:, None]
    mapped = cv2.perspectiveTransform(np.array(centres)[:, None], homography)[:, 0]
    within = [cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in mapped]
    return sum(within) / len(within)


def _scale(frame: _Frame) -> float:
    """The mean distance between keypoints over that between people; 1 where either is unknown."""
    points, people = frame.points[frame.present], _counted(frame)
    if len(points) < 2 or len(people) < 2:
        return 1.0
    return _mean_distance(points) / (_mean_distance(np.array(people)) + 1e-6)


def _mean_distance(points: Matrix) -> float:
    first, second = np.triu_indices(len(points), 1)
    return float(np.linalg.norm(points[first] - points[second], axis=1).mean())


def _shots(frames: Sequence[_Frame]) -> list[list[_Frame]]:
    """Frames between cuts, which show as jumps of many players at once."""
    shots: list[list[_Frame]] = []
    before: dict[int, Matrix] = {}
    for frame in frames:
        players = frame.players()
        jumps = sum(
            bool(np.linalg.norm(place - before[one]) > JUMP_PX)
            for one, place in players.items()
            if one in before
        )
        if not shots:
            shots.append([])
        shots[-1].append(frame)
        # the frame after a cut still belongs to the shot before it, as in the scorer
        if before and players and jumps / len(players) >= CUT_SHARE:
            shots.append([])
        before = players
    return [shot for shot in shots if shot]


def _stability(fitted: Sequence[_Frame], length: int) -> float:
    if length < 2:
        return 1.0
    changes = []
    for before, after in itertools.pairwise(fitted):
        shared = np.intersect1d(before.present, after.present)
        if len(shared) < 2:
            continue
        first, second = np.triu_indices(len(shared), 1)
        distances = [
            np.linalg.norm(frame.points[shared[first]] - frame.points[shared[second]], axis=1)
            for frame in (before, after)
        ]
        changes.append(float((np.abs(distances[0] - distances[1]) / (distances[0] + 1e-6)).mean()))
    return float(np.exp(-10 * np.mean(changes))) if changes else 0.5


def _plausible(shot: Sequence[_Frame]) -> float:
    """Share of the players' movements that are possible."""
    if len(shot) < 2:
        return 1.0
    moved = wrong = 0
    for before, after in itertools.pairwise(shot):
        if after.number - before.number > MAX_GAP:
            continue
        earlier = before.players()
        for one, place in after.players().items():
            if one in earlier:
                moved += 1
                wrong += bool(np.linalg.norm(place - earlier[one]) > IMPLAUSIBLE_PX)
    return 1.0 - wrong / moved if moved else 0.5


def _calmness(frames: Sequence[_Frame]) -> float:
    """Movements of players over the whole clip: small and very large ones count fully, others by half."""
    last: dict[int, Matrix] = {}
    scores = []
    for frame in frames:
        for one, place in frame.players().items():
            if one in last:
                moved = float(np.linalg.norm(place - last[one]))
                scores.append(0.5 if CALM_PX < moved <= RESTLESS_PX else 1.0)
            last[one] = place
    return _mean(scores, 0.0)


def _consistency(frames: Sequence[_Frame], size: tuple[int, int]) -> float:
    """The logistic of the mean shift of shared keypoints from frame to frame; 1 where none is shared."""
    shifts = []
    for before, after in itertools.pairwise(frames):
        shared = np.intersect1d(before.present, after.present)
        if len(shared):
            moved = (after.points[shared] - before.points[shared]) / size
            shifts.append(float(np.linalg.norm(moved, axis=1).mean()))
    return logistic(float(np.mean(shifts))) if shifts else 1.0


def _middle(box: Sequence[float]) -> Matrix:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _mean(values: Sequence[float], otherwise: float) -> float:
    return float(np.mean(values)) if values else otherwise


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total else 0.0
