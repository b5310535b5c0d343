"""Joining the boxes of sampled frames to tracks.

People are matched where their feet are expected: moved on with the ground under a panning or zooming
camera, then by their own speed. Distances are measured in heights of the box, about 1.8 m each, so that near
and far people are treated alike. Tracks seen in the latest sample choose first, those that were missed later;
the assignment within each group is the optimal one (Hungarian method).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.contracts.results import Detections, FrameResult
from services.tracking.camera import Matrix, inverse, project

BALL = 0
FIRST_GATE = 1.3
"""How far a person of unknown speed may be from where the ground moved them, in heights per sample."""
GATE = 0.9
"""The same for a person whose speed is known."""
SIZE_WEIGHT = 0.5
CLASS_PENALTY = 1.5
MAX_GAP_SAMPLES = 2
"""A track that was missed in more samples than this has ended."""
VOTERS = 7
"""Samples before and after that have a say in the class of a sample."""
HUGE = 1e6


@dataclass(slots=True)
class Track:
    """One object over the clip.

    Attributes:
        id: Rising from 1 in order of first appearance.
        frames: Frame numbers of the samples in which it was seen.
        boxes: x1, y1, x2, y2 in source pixels, one per entry of `frames`.
        labels: The class it was seen as, one per entry of `frames`.
        scores: How surely, 0 to 1, one per entry of `frames`.
        sample: Position of the latest sample in which it was seen.
        velocity: Pixels per frame over the ground, or None while it was seen once.
    """

    id: int
    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float32]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sample: int = 0
    velocity: Matrix | None = None

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The class at each entry of `frames`: the one with most votes among its neighbours.

        Not one class for the whole track: where two people cross, a track may go on with the other one, and
        a referee must not become a player for the rest of the clip. The smaller id where votes are even.
        """
        labels = np.array(self.labels)
        known = np.unique(labels)
        votes = np.where(labels == known[:, None], np.array(self.scores), 0.0).cumsum(axis=1)
        votes = np.concatenate([np.zeros((len(known), 1)), votes], axis=1)
        at = np.arange(len(labels))
        last = np.minimum(at + VOTERS + 1, len(labels))
        sums = votes[:, last] - votes[:, np.maximum(at - VOTERS, 0)]
        return np.asarray(known[np.round(sums, 6).argmax(axis=0)], np.int64)

    @property
    def class_id(self) -> int:
        """The class with most votes in the latest samples."""
        votes: dict[int, float] = {}
        for label, score in zip(self.labels[-VOTERS:], self.scores[-VOTERS:], strict=True):
            votes[label] = votes.get(label, 0.0) + score
        return min(votes, key=lambda c: (-votes[c], c))

    @property
    def height(self) -> float:
        """Height of the latest box, pixels."""
        return float(self.boxes[-1][3] - self.boxes[-1][1])

    def see(self, frame: int, sample: int, box: npt.NDArray[np.float32], class_id: int, score: float) -> None:
        """Add an observation."""
        self.frames.append(frame)
        self.boxes.append(box)
        self.labels.append(class_id)
        self.scores.append(score)
        self.sample = sample


def feet_of(boxes: npt.NDArray[np.float32]) -> Matrix:
    """(n, 2) middles of the lower edges of boxes (n, 4), pixels."""
    feet = np.empty((len(boxes), 2))
    feet[:, 0] = (boxes[:, 0] + boxes[:, 2]) / 2
    feet[:, 1] = boxes[:, 3]
    return feet


def track_people(
    results: Sequence[FrameResult], cameras: Sequence[Matrix | None], stride: int
) -> list[Track]:
    """Join goalkeepers, players and referees to tracks.

    Args:
        results: The samples, by rising frame number.
        cameras: The camera of each sample, or None.
        stride: Distance of the samples, frames.
    """
    tracks: list[Track] = []
    steps = _steps(cameras)
    for sample, result in enumerate(results):
        people = np.flatnonzero(result.detections.classes != BALL)
        boxes = result.detections.boxes[people]
        classes = result.detections.classes[people]
        scores = result.detections.scores[people]
        feet = feet_of(boxes)
        free = np.ones(len(boxes), bool)
        for missed in range(MAX_GAP_SAMPLES + 1):
            earlier = sample - 1 - missed
            group = [track for track in tracks if track.sample == earlier]
            if not group or not free.any():
                continue
            ground = _moved(group, _chained(steps[earlier + 1 : sample + 1]))
            open_ones = np.flatnonzero(free)
            cost = _costs(group, ground, boxes[open_ones], classes[open_ones], result.index, stride)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < HUGE:
                    chosen = int(open_ones[column])
                    free[chosen] = False
                    _follow(group[row], ground[row], result.index, feet[chosen])
                    group[row].see(
                        result.index, sample, boxes[chosen], int(classes[chosen]), float(scores[chosen])
                    )
        for fresh in np.flatnonzero(free):
            track = Track(len(tracks) + 1)
            track.see(result.index, sample, boxes[fresh], int(classes[fresh]), float(scores[fresh]))
            tracks.append(track)
    return tracks


def _steps(cameras: Sequence[Matrix | None]) -> list[Matrix | None]:
    """How the ground moved in the picture from each sample to the next; position 0 has no step.

    Where a camera is missing, the latest known step goes on: cameras do not stop in an instant.
    """
    steps: list[Matrix | None] = [None]
    for first, last in zip(cameras, cameras[1:], strict=False):
        steps.append(steps[-1] if first is None or last is None else last @ inverse(first))
    return steps


def _chained(steps: Sequence[Matrix | None]) -> Matrix | None:
    """One motion from several steps; None when one of them is unknown."""
    motion: Matrix | None = None
    for step in steps:
        if step is None:
            return None
        motion = step if motion is None else step @ motion
    return motion


def _moved(group: Sequence[Track], motion: Matrix | None) -> Matrix:
    """Where the ground has taken the feet of tracks since their latest sample, (n, 2) pixels."""
    feet = feet_of(np.stack([track.boxes[-1] for track in group]))
    if motion is None:
        return feet
    moved = project(motion, feet)
    return np.where(np.isfinite(moved), moved, feet)


def _follow(track: Track, ground: Matrix, frame: int, feet: Matrix) -> None:
    """Update a track's speed over the ground before it takes a new box."""
    speed = (feet - ground) / (frame - track.frames[-1])
    track.velocity = speed if track.velocity is None else 0.4 * track.velocity + 0.6 * speed


def _costs(
    group: Sequence[Track],
    ground: Matrix,
    boxes: npt.NDArray[np.float32],
    classes: npt.NDArray[np.int64],
    frame: int,
    stride: int,
) -> Matrix:
    """(tracks, boxes) costs; HUGE where a track cannot have come to a box."""
    gaps = np.array([frame - track.frames[-1] for track in group], np.float64)
    known = np.array([track.velocity is not None for track in group])
    still = np.zeros(2)
    speeds = np.stack([still if track.velocity is None else track.velocity for track in group])
    before = np.array([track.height for track in group])[:, None]
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0).astype(np.float64)
    expected = ground + speeds * gaps[:, None]
    away = np.linalg.norm(feet_of(boxes)[None] - expected[:, None], axis=2) / before
    gates = np.where(known, GATE, FIRST_GATE) * gaps / stride
    unlike = SIZE_WEIGHT * np.abs(np.log(heights[None] / before))
    same = classes[None] == np.array([track.class_id for track in group])[:, None]
    cost = (away + unlike) * np.where(same, 1.0, CLASS_PENALTY)
    return np.asarray(np.where(away < gates[:, None], cost, HUGE), np.float64)


def track_ball(results: Sequence[FrameResult], track_id: int, width: int, stride: int) -> Track | None:
    """The one ball: through the best boxes of each sample, the course with most score for least motion.

    Solved exactly over the whole clip (dynamic programming); a sample may also have no ball.
    """
    candidates = [_best_balls(result.detections) for result in results]
    if not any(len(c) for c in candidates):
        return None
    reach = 0.25 * width  # pixels per sample at which motion costs as much as a sure detection brings
    # states of the course: (total, sample, box, previous state)
    states: list[tuple[float, int, int, int]] = []
    recent: list[int] = []
    for sample, found in enumerate(candidates):
        fresh = []
        for k in range(len(found)):
            best, back = float(found[k, 4]), -1
            for s in recent:
                total, earlier, other, _ = states[s]
                steps = (results[sample].index - results[earlier].index) / stride
                moved = float(np.linalg.norm(_centre(found[k]) - _centre(candidates[earlier][other])))
                value = total + float(found[k, 4]) - moved / (reach * steps) - 0.05 * (sample - earlier - 1)
                if value > best:
                    best, back = value, s
            fresh.append(len(states))
            states.append((best, sample, k, back))
        recent = [s for s in recent if sample - states[s][1] < 25] + fresh
    at = max(range(len(states)), key=lambda s: (states[s][0], -s))
    track = Track(track_id)
    chain = []
    while at != -1:
        chain.append(at)
        at = states[at][3]
    for s in reversed(chain):
        _, sample, k, _ = states[s]
        box = candidates[sample][k]
        track.see(results[sample].index, sample, box[:4], BALL, float(box[4]))
    return track


def _best_balls(detections: Detections) -> npt.NDArray[np.float32]:
    balls = np.flatnonzero(detections.classes == BALL)
    order = balls[np.argsort(-detections.scores[balls], kind="stable")][:4]
    table = np.c_[detections.boxes[order], detections.scores[order]]
    return np.asarray(table, np.float32).reshape(-1, 5)


def _centre(box: npt.NDArray[np.float32]) -> Matrix:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float64)
