"""Score's keypoint score of a GSR answer, which needs the clip but no labels.

Source: score-technologies/score-vision:
final = (.25 K + .4 L + .2 I + .05 S + .1 P) * consistency * (scale + valid) / 2, each from 0 to 1, and 0
where L is rounded to 0.00. K, L, I and scale are means over the frames with a homography.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import BALL, KEYPOINT_COUNT, PLAYER, TEMPLATE
from touchline_lab.evaluation.keypoint_answer import READ_ERRORS, AnsweredFrame, frame_number, read_frames
from touchline_lab.evaluation.official_answer import Unreadable
from touchline_lab.evaluation.painted_lines import Segments

__all__ = ["KeypointScore", "keypoint_score", "kept_keypoints", "logistic", "on_lines"]

Matrix = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

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
"""Boxes that begin above this row do not count, unless they lie beside or above the picture."""
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
PARTS: Final = (*WEIGHTS, "consistency", "scale", "valid")
"""All parts of the score."""
NO_LINES: Final = np.zeros((0, 4))


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
        consistency: How little shared keypoints move from frame to frame, over the frames asked about.
        scale: Mean distance between keypoints over that between people, at most 1.
        valid: Share of the wanted frames that have a homography.
        frames: Number of frames asked about.
        reason: Why the answer cannot be scored, or empty.
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
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)

    @property
    def losses(self) -> dict[str, float]:
        """How much higher the score would be if one part alone were 1; these do not add up."""
        parts = {name: getattr(self, name) for name in PARTS}
        return {name: _final(parts | {name: 1.0}) - _final(parts) for name in parts}


def _final(parts: Mapping[str, float]) -> float:
    if np.round(parts["lines"], 2) <= 0:
        return 0.0
    total = sum(weight * parts[name] for name, weight in WEIGHTS.items())
    return total * parts["consistency"] * (parts["scale"] + parts["valid"]) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """One frame that was answered and asked about.

    Attributes:
        answered: What the answer says.
        points: All of its keypoints, (n, 2).
        kept: Numbers of the keypoints that count, which are those inside the picture ...
        anywhere: ... and the numbers of those that count for S, inside or not.
        homography: From pixels to the template, None where there is none.
        fit: K, 0 where there is no homography.
        people: Id and middle of each player's box.
    """

    answered: AnsweredFrame
    points: Matrix
    kept: Indices
    anywhere: Indices
    homography: Matrix | None
    fit: float
    people: Sequence[tuple[Any, Matrix]]

    @property
    def number(self) -> int:
        return self.answered.number

    def last_of_each(self) -> dict[Any, Matrix]:
        """Where each player is; an id that occurs twice counts where it is last."""
        return dict(self.people)


def keypoint_score(
    frames: Sequence[Mapping[str, Any]],
    lines: Mapping[int, Segments] | Iterable[Segments],
    size: tuple[int, int],
    asked: Iterable[int] | None = None,
) -> KeypointScore:
    """Score an answer. One that the scorer cannot read scores 0, with a reason.

    Args:
        frames: The frames of a GSR answer, as they are decoded from JSON.
        lines: The painted lines by frame number, or of each of these frames in turn.
        size: Width and height of the picture.
        asked: Numbers of the frames that were asked about; by default those of the answer.
    """
    wanted: list[int] = []
    try:
        wanted = sorted(set(map(frame_number, frames) if asked is None else asked))
        if not wanted:
            raise Unreadable("no frame was asked about")
        if not isinstance(lines, Mapping):
            lines = dict(zip(map(frame_number, frames), lines, strict=True))
        # odd coordinates may be infinite, which is told at the end
        with np.errstate(all="ignore"):
            own = [_read(frame, size) for frame in read_frames(frames, set(wanted))]
            return _scored(own, lines, size, wanted)
    except (Unreadable, cv2.error, *READ_ERRORS) as error:
        reason = str(error) if isinstance(error, Unreadable) else repr(error)
        return KeypointScore(0, 0, 0, 0, 0, 0, 0, 0, 0, frames=len(wanted), reason=reason)


def _read(answered: AnsweredFrame, size: tuple[int, int]) -> _Frame:
    try:
        return _frame(answered, size)
    except (cv2.error, *READ_ERRORS) as error:
        raise Unreadable(f"frame {answered.number}: {error!r}") from error


def _frame(answered: AnsweredFrame, size: tuple[int, int]) -> _Frame:
    points = np.array(answered.keypoints, np.float64).reshape(-1, 2)
    kept = kept_keypoints(points, size)
    homography, fit = _homography(points, kept, size)
    people = [(one["id"], _middle(one["bbox"])) for one in answered.objects if one.get("class_id") == PLAYER]
    return _Frame(answered, points, kept, kept_keypoints(points), homography, fit, people)


def _scored(
    own: Sequence[_Frame], lines: Mapping[int, Segments], size: tuple[int, int], wanted: Sequence[int]
) -> KeypointScore:
    on_line: list[float] = []
    inside: list[float] = []
    scales: list[float] = []
    fitted = [frame for frame in own if frame.homography is not None]
    for frame in fitted:
        points, centres = frame.points[frame.kept], _counted(frame.answered.objects, size)
        on_line.append(on_lines(points, lines.get(frame.number, NO_LINES), size))
        inside.append(_inside(centres, frame.homography))
        scales.append(min(_scale(points, centres), 1.5))
    shots = _shots(own)
    weights = [sum(frame.homography is not None for frame in shot) for shot in shots]
    parts = {
        "fit": _mean([frame.fit for frame in fitted]),
        "lines": _mean(on_line),
        "inside": _mean(inside),
        "stability": _weighted([_stability(shot) for shot in shots], weights),
        "plausibility": (_weighted([_plausible(shot) for shot in shots], weights) + _calmness(own)) / 2,
        "consistency": _consistency({frame.number: frame for frame in own}, wanted, size),
        "scale": min(_mean(scales), 1.0),
        "valid": min(1.0, len(fitted) / len(wanted) / WANTED_SHARE),
    }
    if not all(map(math.isfinite, parts.values())):
        raise Unreadable("a part of the score is not a number")
    return KeypointScore(_final(parts), **parts, frames=len(wanted), reason="")


def logistic(distance: float) -> float:
    """1 for a distance of 0, one half at `CENTRE`, 0 far away; in shares of the picture."""
    return float(1.0 / (1.0 + np.exp(min((distance - CENTRE) / STEEPNESS, 700.0))))


def kept_keypoints(points: Matrix, size: tuple[int, int] | None = None) -> Indices:
    """The numbers of the keypoints that count: there, inside the picture, and not near an earlier one.

    Args:
        points: Keypoints, (n, 2); `(0, 0)` is an absent one.
        size: Width and height of the picture; None: those outside count, too.
    """
    there = (points != 0).any(axis=1)
    if size is not None:
        there &= ((points >= 0) & (points < size)).all(axis=1)
    kept: list[int] = []
    for number in np.flatnonzero(there).tolist():
        # one by one, not along an axis, which rounds in another way: the last bit decides at the limit
        if all(np.linalg.norm(points[number] - points[other]) >= NEAR_PX for other in kept):
            kept.append(number)
    return np.array(kept, np.int64)


def _homography(points: Matrix, kept: Indices, size: tuple[int, int]) -> tuple[Matrix | None, float]:
    """The homography from pixels to the template, scaled to the picture, and K of this frame."""
    if len(kept) < 4:
        return None, 0.0
    length, width = TEMPLATE.size_m * 100
    # the scorer lays the template's width onto the picture's width, and its length onto the height
    template = TEMPLATE.vertices_m[kept] * 100 * [size[0] / width, size[1] / length]
    limit = max(RANSAC_PX, RANSAC_SHARE * size[0])
    homography, inliers = cv2.findHomography(points[kept], template, cv2.RANSAC, limit)
    if homography is None or inliers is None:
        return None, 0.0
    mapped = cv2.perspectiveTransform(points[kept][:, None], homography)[:, 0]
    error = float(np.linalg.norm(mapped - template, axis=1).mean())
    fit = (float(inliers.mean()) + max(0.0, 1.0 - error / 100)) / 2
    return np.asarray(homography, np.float64), fit


def on_lines(points: Matrix, segments: Segments, size: tuple[int, int]) -> float:
    """L of one frame: the logistic of the mean distance of the keypoints to their nearest segments.

    Args:
        points: The keypoints that count, (n, 2).
        segments: The painted lines, (n, 4).
        size: Width and height of the picture.
    """
    if not len(segments) or not len(points):
        return 0.0
    present = points / size
    starts, ends = segments[:, :2] / size, segments[:, 2:] / size
    along = ends - starts
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = (((present[:, None] - starts) * along).sum(axis=2) / length).clip(0, 1)
    away = np.linalg.norm(present[:, None] - (starts + share[..., None] * along), axis=2)
    return logistic(float(away.min(axis=1).mean()))


def _counted(objects: Sequence[Mapping[str, Any]], size: tuple[int, int]) -> Matrix:
    """The centres of the boxes that count, (n, 2)."""
    centres = []
    for one in objects:
        x1, y1, x2, y2 = one["bbox"]
        large = one.get("class_id") == BALL or (x2 - x1 >= SMALLEST_BOX[0] and y2 - y1 >= SMALLEST_BOX[1])
        away_from_board = x2 < 0 or x1 > size[0] or y2 < 0 or y1 > SCORE_BOARD_PX
        if large and away_from_board:
            centres.append(_middle(one["bbox"]))
    return np.array(centres, np.float64).reshape(-1, 2)


def _inside(centres: Matrix, homography: Matrix | None) -> float:
    """I of one frame. The outline is that of the template in centimetres, as in the scorer."""
    if not len(centres):
        return 0.0
    outline = (TEMPLATE.vertices_m[[0, 5, 29, 24]] * 100).astype(np.int32)[:, None]
    # in single precision, as in the scorer
    mapped = cv2.perspectiveTransform(centres.astype(np.float32)[:, None], homography)[:, 0]
    within = [cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in mapped]
    return sum(within) / len(within)


def _scale(points: Matrix, people: Matrix) -> float:
    """The mean distance between keypoints over that between people; 1 where either is unknown."""
    if len(points) < 2 or len(people) < 2:
        return 1.0
    return _mean_distance(points) / (_mean_distance(people) + 1e-6)


def _mean_distance(points: Matrix) -> float:
    return float(_distances(points).mean())


def _distances(points: Matrix) -> Matrix:
    """The distance of each pair of points."""
    first, second = np.triu_indices(len(points), 1)
    return np.asarray(np.linalg.norm(points[first] - points[second], axis=1), np.float64)


def _shots(frames: Sequence[_Frame]) -> list[list[_Frame]]:
    """Frames between cuts, which show as jumps of many players at once."""
    shots: list[list[_Frame]] = [[]]
    before: dict[Any, Matrix] = {}
    for number, frame in enumerate(frames):
        jumps = sum(
            bool(np.linalg.norm(place - before[one]) > JUMP_PX)
            for one, place in frame.people
            if one in before
        )
        shots[-1].append(frame)
        # the frame after a cut still belongs to the shot before it, as in the scorer
        if number and frame.people and jumps / len(frame.people) >= CUT_SHARE:
            shots.append([])
        before = frame.last_of_each()
    return [shot for shot in shots if shot]


def _stability(shot: Sequence[_Frame]) -> float:
    """S of a shot. Its frames are compared in the order of their numbers as text, as in the scorer."""
    if len(shot) < 2:
        return 1.0
    fitted = [frame for frame in shot if frame.homography is not None]
    changes = []
    for before, after in itertools.pairwise(sorted(fitted, key=lambda frame: str(frame.number))):
        shared = np.intersect1d(before.anywhere, after.anywhere)
        if len(shared) < 2:
            continue
        earlier, later = _distances(before.points[shared]), _distances(after.points[shared])
        changes.append(float((np.abs(earlier - later) / (earlier + 1e-6)).mean()))
    return float(np.exp(-10 * np.mean(changes))) if changes else 0.5


def _plausible(shot: Sequence[_Frame]) -> float:
    """Share of the players' movements that are possible."""
    if len(shot) < 2:
        return 1.0
    moved = wrong = 0
    for before, after in itertools.pairwise(shot):
        if after.number - before.number > MAX_GAP:
            continue
        earlier = before.last_of_each()
        for one, place in after.people:
            if one in earlier:
                moved += 1
                wrong += bool(np.linalg.norm(place - earlier[one]) > IMPLAUSIBLE_PX)
    return 1.0 - wrong / moved if moved else 0.5


def _calmness(frames: Sequence[_Frame]) -> float:
    """Movements of players over the whole clip: small and very large ones count fully, others by half."""
    last: dict[Any, Matrix] = {}
    scores = []
    for frame in frames:
        for one, place in frame.people:
            if one in last:
                moved = float(np.linalg.norm(place - last[one]))
                scores.append(0.5 if CALM_PX < moved <= RESTLESS_PX else 1.0)
            last[one] = place
    return _mean(scores)


def _consistency(own: Mapping[int, _Frame], wanted: Sequence[int], size: tuple[int, int]) -> float:
    """The mean over the frames asked about; the first of those with consecutive numbers counts as 1."""
    among = set(wanted)
    return _mean(
        [
            _steadiness(own.get(number - 1), own.get(number), size) if number - 1 in among else 1.0
            for number in wanted
        ]
    )


def _steadiness(before: _Frame | None, after: _Frame | None, size: tuple[int, int]) -> float:
    """The logistic of the mean shift of the shared keypoints, as a share of the picture's diagonal.

    It is 0 where a frame was not answered, has not 32 keypoints, or shares none, but 1 where both frames say
    that there are none.
    """
    if before is None or after is None:
        return 0.0
    points = before.answered.keypoints, after.answered.keypoints
    if any(len(one) != KEYPOINT_COUNT for one in points):
        return 0.0
    if all(point == [0.0, 0.0] for one in points for point in one):
        return 1.0
    shared = np.intersect1d(before.kept, after.kept)
    if not len(shared):
        return 0.0
    moved = np.linalg.norm(after.points[shared] - before.points[shared], axis=1)
    return logistic(float(moved.mean()) / math.hypot(*size))


def _middle(box: Sequence[float]) -> Matrix:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total else 0.0
