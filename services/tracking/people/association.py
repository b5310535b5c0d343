"""Associating people of one sampled frame after the other to tracks.

People are matched where their feet are expected: moved on with the ground under a turning or zooming camera,
then by their own speed. Distances are measured in heights of the box, about 1.9 m each, so that near and far
people are treated alike; down the picture they count more, since the ground is seen at a flat angle. Tracks
seen lately choose first, those that were missed later; the assignment within each group is the optimal one
(Hungarian method). What a track may do depends on the frames that went by, not on the sampled frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.pitch import BALL
from services.results import FrameResult
from services.tracking.camera.homography import Matrix, inverse, project
from services.tracking.track import Track

BASE_GATE: Final = 0.6
"""Heights that a person may be off where no time went by."""
GATE: Final = 0.06
"""Heights per frame more for a person whose speed is known: they may have turned."""
FIRST_GATE: Final = 0.18
"""The same for a person of unknown speed."""
WIDEST_GATE: Final = 3.0
"""No person is searched further away than this, heights."""
FLAT: Final = 2.0
"""How much more a distance down the picture counts than one across."""
SIZE_WEIGHT: Final = 0.5
"""Heights of distance that a change of the height by a factor of e counts as."""
CLASS_PENALTY: Final = 1.5
"""Factor on the cost of a box of another class: classes are mistaken now and then."""
MAX_GAP_SAMPLES: Final = 2
"""A track that was missed in more sampled frames than this, and for longer than `MAX_GAP_FRAMES`, has
ended."""
MAX_GAP_FRAMES: Final = 25
"""Frames for which a track may be missed, about a second; see `MAX_GAP_SAMPLES`."""
MIN_SUPPORT: Final = 4
"""People who must agree on how the picture moved before they overrule the camera."""
TURNING: Final = 25.0
"""Frames after which a speed has lost most of its meaning."""
PROVEN: Final = 3
"""Sightings after which a track is no longer new."""
RECENT_FRAMES: Final = 8
"""Frames since its last sighting in which a proven track still comes before new ones."""
SETTLING: Final = 4
"""Frames after which a speed means something."""
HUGE: Final = 1e6
"""A cost that no assignment is worth."""


def foot_points(boxes: npt.NDArray[np.float32]) -> Matrix:
    """(n, 2) middles of the lower edges of boxes (n, 4), pixels."""
    feet = np.empty((len(boxes), 2))
    feet[:, 0] = (boxes[:, 0] + boxes[:, 2]) / 2
    feet[:, 1] = boxes[:, 3]
    return feet


class PeopleTracker:
    """Goalkeepers, players and referees of one shot.

    Args:
        stride: Usual distance of the sampled frames.
        first_id: The first track's.

    Attributes:
        tracks: All of them, by first appearance.
    """

    def __init__(self, stride: int, first_id: int = 1) -> None:
        self.tracks: list[Track] = []
        self._first_id = first_id
        self._max_gap = max(MAX_GAP_FRAMES, (MAX_GAP_SAMPLES + 1) * stride)
        self._live: list[Track] = []
        self._places = np.zeros((0, 2))  # where the ground has taken the feet of the live tracks
        self._index = 0
        self._camera: Matrix | None = None
        self._step: Matrix | None = None

    def add(self, result: FrameResult, camera: Matrix | None) -> None:
        """Take the next sampled frame and its camera."""
        people = np.flatnonzero(result.detections.classes != BALL)
        boxes = result.detections.boxes[people]
        classes = result.detections.classes[people]
        scores = result.detections.scores[people]
        feet = foot_points(boxes)
        self._move_with_camera(result.index, camera, feet, boxes)
        free = np.ones(len(boxes), bool)
        sure = [self._is_established(track, result.index) for track in self._live]
        lately = [i for i, first in enumerate(sure) if first]
        earlier = [i for i, first in enumerate(sure) if not first]
        for group in (lately, earlier):
            if not group or not free.any():
                continue
            tracks, places, open_ones = (
                [self._live[i] for i in group],
                self._places[group],
                np.flatnonzero(free),
            )
            cost = _costs(tracks, places, boxes[open_ones], classes[open_ones], result.index)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < HUGE:
                    chosen = int(open_ones[column])
                    free[chosen] = False
                    _follow(tracks[row], places[row], result.index, feet[chosen])
                    tracks[row].observe(
                        result.index, boxes[chosen], int(classes[chosen]), float(scores[chosen])
                    )
                    self._places[group[row]] = feet[chosen]
        self._start(result.index, boxes[free], classes[free], scores[free])
        self._index = result.index

    def _is_established(self, track: Track, index: int) -> bool:
        """Whether a track is associated first: neither new nor missed for long."""
        gap = index - track.frames[-1]
        return len(track.frames) >= PROVEN and gap <= max(RECENT_FRAMES, 2 * (index - self._index))

    def _start(
        self,
        index: int,
        boxes: npt.NDArray[np.float32],
        classes: npt.NDArray[np.int64],
        scores: npt.NDArray[np.float32],
    ) -> None:
        for box, class_id, score in zip(boxes, classes, scores, strict=True):
            track = Track(self._first_id + len(self.tracks))
            track.observe(index, box, int(class_id), float(score))
            self.tracks.append(track)
            self._live.append(track)
        self._places = np.concatenate([self._places, foot_points(boxes)])

    def _move_with_camera(
        self, index: int, camera: Matrix | None, feet: Matrix, boxes: npt.NDArray[np.float32]
    ) -> None:
        """Move expected positions with the camera to this sampled frame; forget tracks that have ended."""
        # sampled frames may lie further apart than the usual stride says
        max_gap = max(self._max_gap, 2 * (index - self._index))
        kept = [i for i, track in enumerate(self._live) if index - track.frames[-1] <= max_gap]
        self._live, self._places = [self._live[i] for i in kept], self._places[kept]
        if camera is not None and self._camera is not None:
            self._step = camera @ inverse(self._camera)
        elif camera is not None or self._camera is None:
            self._step = None
        # where a camera is missing, the latest known step goes on: cameras do not stop in an instant
        self._camera = camera
        moved = self._places if self._step is None else project(self._step, self._places)
        moved = np.where(np.isfinite(moved).all(1, keepdims=True), moved, self._places)
        if self._live and len(boxes):
            moved = self._correct_camera_motion(moved, index, feet, boxes)
        self._places = moved

    def _correct_camera_motion(
        self, moved: Matrix, index: int, feet: Matrix, boxes: npt.NDArray[np.float32]
    ) -> Matrix:
        """Replace the camera's motion where the people have clearly moved together in another way."""
        before = np.array([track.height for track in self._live])
        heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)
        expected = self._places + _own_motion(self._live, index)
        alike = np.abs(np.log(heights[None] / before[:, None])) < 0.25
        who, whom = np.nonzero(alike)
        if not len(who):
            return moved
        near = 0.35 * float(np.median(before))
        off = feet[whom] - expected[who]
        # first with the motion that the camera gives, then with that of any one pair
        by_camera = _support(off - (moved - self._places)[who], who, np.zeros((1, 2)), near)[0]
        if by_camera >= 0.8 * min(len(feet), len(self._live)):
            return moved
        shifts = np.concatenate([off, np.zeros((1, 2))])
        support = _support(off, who, shifts, near)
        best = int(np.argmax(support - 1e-6 * np.linalg.norm(shifts, axis=1)))
        if support[best] < max(MIN_SUPPORT, 1.3 * by_camera):
            return moved
        return np.asarray(self._places + shifts[best], np.float64)


def _support(off: Matrix, who: npt.NDArray[np.intp], shifts: Matrix, near: float) -> npt.NDArray[np.int64]:
    """How many tracks have someone of their size near where a shift puts them.

    Args:
        off: (pairs, 2) from where a track is expected to someone of its size, pixels.
        who: (pairs,) number of the track, rising.
        shifts: (n, 2) of the whole picture.
        near: Pixels.
    """
    away = np.abs(off[:, 0] - shifts[:, :1]) + FLAT * np.abs(off[:, 1] - shifts[:, 1:])
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    return np.asarray(np.logical_or.reduceat(away < near, starts, axis=1).sum(1), np.int64)


def _own_motion(tracks: Sequence[Track], index: int) -> Matrix:
    """How far each has gone over the ground since it was last seen, (n, 2) pixels."""
    still = np.zeros(2)
    speeds = np.stack([still if track.velocity is None else track.velocity for track in tracks])
    gaps = np.array([index - track.frames[-1] for track in tracks], np.float64)
    # nobody runs straight on for long
    return np.asarray(speeds * (TURNING * (1 - np.exp(-gaps / TURNING)))[:, None], np.float64)


def _follow(track: Track, ground: Matrix, frame: int, feet: Matrix) -> None:
    """Update a track's speed over the ground before it takes a new box."""
    gap = frame - track.frames[-1]
    speed = (feet - ground) / gap
    # a short step says little about the speed: the error of the box is divided by it
    trust = max(min(0.6, 0.1 * gap), gap / (frame - track.frames[0] + SETTLING))
    known = np.zeros(2) if track.velocity is None else track.velocity
    track.velocity = (1 - trust) * known + trust * speed


def _costs(
    group: Sequence[Track],
    ground: Matrix,
    boxes: npt.NDArray[np.float32],
    classes: npt.NDArray[np.int64],
    frame: int,
) -> Matrix:
    """(tracks, boxes) costs; HUGE where a track cannot have come to a box."""
    gaps = np.array([frame - track.frames[-1] for track in group], np.float64)
    known = np.array([track.frames[-1] - track.frames[0] >= SETTLING for track in group])
    before = np.array([track.height for track in group])[:, None]
    heights = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0).astype(np.float64)
    expected = ground + _own_motion(group, frame)
    off = (foot_points(boxes)[None] - expected[:, None]) / before[..., None]
    away = np.linalg.norm(off * [1.0, FLAT], axis=2)
    gates = np.minimum(BASE_GATE + np.where(known, GATE, FIRST_GATE) * gaps, WIDEST_GATE)
    unlike = SIZE_WEIGHT * np.abs(np.log(heights[None] / before))
    same = classes[None] == np.array([track.class_id for track in group])[:, None]
    cost = (away + unlike) * np.where(same, 1.0, CLASS_PENALTY)
    return np.asarray(np.where(away < gates[:, None], cost, HUGE), np.float64)
