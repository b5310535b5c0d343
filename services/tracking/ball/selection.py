"""The one ball of a shot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.results import Detections, FrameResult
from services.tracking.track import BALL, Track

REACH: Final = 0.25
"""Share of the width that a ball may move between usual samples for the price of a sure detection."""
MISS: Final = 0.05
"""The price of a sample without the ball."""
MEMORY: Final = 25
"""Samples after which a course is not taken up again."""


MOST: Final = 4
"""Boxes of one sample that the course may go through."""


class BallSelection:
    """Through the best boxes of each sample, the course with most score for least motion.

    Solved exactly over the whole shot (dynamic programming); a sample may also have no ball.

    Args:
        width: Of the source picture.
        stride: Usual distance of the samples, frames.
    """

    def __init__(self, width: int, stride: int) -> None:
        # pixels per frame at which motion costs as much as a sure detection brings
        self._reach = REACH * width / stride
        # states of the course, one for each box: what it is worth, the state before it, and what was seen
        self._worth: list[float] = []
        self._back: list[int] = []
        self._seen: list[tuple[int, npt.NDArray[np.float32]]] = []
        self._recent = np.zeros((0, 5))  # state, sample, frame, x, y
        self._sample = 0

    def add(self, result: FrameResult) -> None:
        """Take the next sample."""
        found = ball_boxes(result.detections)[:MOST]
        recent = self._recent[self._sample - self._recent[:, 1] < MEMORY]
        fresh = []
        for box in found:
            score = float(box[4])
            centre = (box[:2].astype(np.float64) + box[2:4]) / 2
            best, back = score, -1
            if len(recent):
                moved = np.hypot(recent[:, 3] - centre[0], recent[:, 4] - centre[1])
                value = np.array([self._worth[int(state)] for state in recent[:, 0]]) + score
                value -= moved / (self._reach * (result.index - recent[:, 2]))
                value -= MISS * (self._sample - recent[:, 1] - 1)
                chosen = int(value.argmax())
                if value[chosen] > best:
                    best, back = float(value[chosen]), int(recent[chosen, 0])
            fresh.append([len(self._worth), self._sample, result.index, *centre])
            self._worth.append(best)
            self._back.append(back)
            self._seen.append((result.index, box))
        self._recent = np.concatenate([recent, np.array(fresh).reshape(-1, 5)])
        self._sample += 1

    def track(self, track_id: int) -> Track | None:
        """The ball so far; None where there was none."""
        if not self._worth:
            return None
        at = int(np.argmax(self._worth))
        chain = []
        while at != -1:
            chain.append(at)
            at = self._back[at]
        track = Track(track_id)
        for state in reversed(chain):
            frame, box = self._seen[state]
            track.see(frame, box[:4], BALL, float(box[4]))
        return track


def track_ball(results: Sequence[FrameResult], track_id: int, width: int, stride: int) -> Track | None:
    """The one ball of samples that are all there."""
    course = BallSelection(width, stride)
    for result in results:
        course.add(result)
    return course.track(track_id)


def ball_boxes(detections: Detections) -> npt.NDArray[np.float32]:
    """The balls among detections, (n, 5): x1, y1, x2, y2, score; by falling score."""
    balls = np.flatnonzero(detections.classes == BALL)
    order = balls[np.argsort(-detections.scores[balls], kind="stable")]
    table = np.empty((len(order), 5), np.float32)
    table[:, :4], table[:, 4] = detections.boxes[order], detections.scores[order]
    return table
