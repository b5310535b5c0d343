"""Joining the boxes of sampled frames to tracks.

People are matched where they stand on the pitch, in metres, so that a panning camera does not matter and a
gap of several frames is bridged by how far a person can run; without a camera the picture serves, measured
in heights of the box. The assignment is the optimal one (Hungarian method).
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
TOP_SPEED_M_S = 9.0
SLACK_M = 1.5
"""Allowance for the noise of a box's lower edge, metres on the pitch."""
IMAGE_GATE = 1.2
"""Without a camera: how far a person may move between samples, in box heights."""
CLASS_PENALTY = 1.5
MAX_GAP_SAMPLES = 4
"""A track that was not seen for more samples than this has ended."""
HUGE = 1e6


@dataclass(slots=True)
class Track:
    """One object over the clip.

    Attributes:
        id: Rising from 1 in order of first appearance.
        frames: Frame numbers of the samples in which it was seen.
        boxes: x1, y1, x2, y2 in source pixels, one per entry of `frames`.
        votes: Sum of scores by class.
        ground: Last position: metres on the pitch, or pixels.
        velocity: Units of `ground` per frame.
        on_pitch: Whether `ground` is in metres.
    """

    id: int
    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float32]] = field(default_factory=list)
    votes: dict[int, float] = field(default_factory=dict)
    ground: Matrix = field(default_factory=lambda: np.zeros(2))
    velocity: Matrix = field(default_factory=lambda: np.zeros(2))
    on_pitch: bool = False

    @property
    def class_id(self) -> int:
        """The class with most votes; the smaller id where they are even."""
        return min(self.votes, key=lambda c: (-self.votes[c], c))

    @property
    def height(self) -> float:
        """Height of the latest box, pixels."""
        return float(self.boxes[-1][3] - self.boxes[-1][1])

    def see(
        self,
        frame: int,
        box: npt.NDArray[np.float32],
        class_id: int,
        score: float,
        ground: Matrix,
        on_pitch: bool,
    ) -> None:
        """Add an observation."""
        if self.frames and self.on_pitch == on_pitch:
            speed = (ground - self.ground) / (frame - self.frames[-1])
            self.velocity = speed if len(self.frames) == 1 else 0.5 * self.velocity + 0.5 * speed
        else:
            self.velocity = np.zeros(2)
        self.frames.append(frame)
        self.boxes.append(box)
        self.votes[class_id] = self.votes.get(class_id, 0.0) + score
        self.ground, self.on_pitch = ground, on_pitch


def track_people(
    results: Sequence[FrameResult], fits: Sequence[Matrix | None], fps: float, stride: int
) -> list[Track]:
    """Join goalkeepers, players and referees to tracks.

    Args:
        results: The samples, by rising frame number.
        fits: The camera of each sample, or None.
        fps: Frames per second of the source.
        stride: Distance of the samples, frames.
    """
    tracks: list[Track] = []
    active: list[Track] = []
    for result, fit in zip(results, fits, strict=True):
        people = np.flatnonzero(result.detections.classes != BALL)
        boxes = result.detections.boxes[people]
        classes = result.detections.classes[people]
        scores = result.detections.scores[people]
        feet = np.c_[(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]].astype(np.float64)
        ground = project(inverse(fit), feet) if fit is not None else feet
        active = [t for t in active if result.index - t.frames[-1] <= (MAX_GAP_SAMPLES + 1) * stride]
        taken: set[int] = set()
        cost = _costs(active, ground, boxes, classes, result.index, fit is not None, fps, stride)
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < HUGE:
                taken.add(int(column))
                active[row].see(
                    result.index,
                    boxes[column],
                    int(classes[column]),
                    float(scores[column]),
                    ground[column],
                    fit is not None,
                )
        for column in range(len(boxes)):
            if column not in taken:
                track = Track(len(tracks) + 1)
                track.see(
                    result.index,
                    boxes[column],
                    int(classes[column]),
                    float(scores[column]),
                    ground[column],
                    fit is not None,
                )
                tracks.append(track)
                active.append(track)
    return tracks


def _costs(
    active: Sequence[Track],
    ground: Matrix,
    boxes: npt.NDArray[np.float32],
    classes: npt.NDArray[np.int64],
    frame: int,
    on_pitch: bool,
    fps: float,
    stride: int,
) -> Matrix:
    cost = np.full((len(active), len(boxes)), HUGE)
    feet = np.c_[(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]].astype(np.float64)
    for row, track in enumerate(active):
        gap = frame - track.frames[-1]
        if on_pitch and track.on_pitch:
            where = track.ground + track.velocity * min(gap, 2 * stride)
            distance = np.linalg.norm(ground - where, axis=1) / (SLACK_M + TOP_SPEED_M_S * gap / fps)
        else:
            last = track.boxes[-1]
            spot = np.array([(last[0] + last[2]) / 2, last[3]], np.float64)
            distance = np.linalg.norm(feet - spot, axis=1) / (track.height * IMAGE_GATE * gap / stride)
        penalised = distance * np.where(classes == track.class_id, 1.0, CLASS_PENALTY)
        cost[row] = np.where(np.nan_to_num(distance, nan=HUGE) < 1.0, penalised, HUGE)
    return cost


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
        track.see(results[sample].index, box[:4], BALL, float(box[4]), _centre(box), False)
    return track


def _best_balls(detections: Detections) -> npt.NDArray[np.float32]:
    balls = np.flatnonzero(detections.classes == BALL)
    order = balls[np.argsort(-detections.scores[balls], kind="stable")][:4]
    table = np.c_[detections.boxes[order], detections.scores[order]]
    return np.asarray(table, np.float32).reshape(-1, 5)


def _centre(box: npt.NDArray[np.float32]) -> Matrix:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float64)
