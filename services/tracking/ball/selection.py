"""Selecting the one ball of a shot: the most likely sequence of boxes."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.results import Detections, FrameResult
from services.tracking.track import Track

REACH: Final = 0.25
"""Share of the picture's width per stride; moving that far costs as much as a certain detection brings."""
MISS_COST: Final = 0.05
"""Cost of a frame without the ball, where a certain detection brings 1."""
MAX_MISSES: Final = 25
"""Frames without a box after which a sequence is not continued."""
MAX_BOXES: Final = 4
"""Boxes of one frame that are considered, best first."""


class BallSelection:
    """Finds the sequence of boxes with the highest confidence and the least motion.

    It is solved exactly over the whole shot, by dynamic programming; a frame may also have no ball.

    Args:
        width: Of the source picture, pixels.
        stride: Usual distance of the sampled frames.
    """

    def __init__(self, width: int, stride: int) -> None:
        # pixels per frame at which motion costs as much as a sure detection brings
        self._reach = REACH * width / stride
        # one state per box: its value, the state before it, and the box
        self._worth: list[float] = []
        self._back: list[int] = []
        self._seen: list[tuple[int, npt.NDArray[np.float32]]] = []
        self._recent = np.zeros((0, 5))  # state, sampled frame, frame, x, y
        self._sample = 0

    def add(self, result: FrameResult) -> None:
        """Take the result of the next frame."""
        found = ball_boxes(result.detections)[:MAX_BOXES]
        recent = self._recent[self._sample - self._recent[:, 1] < MAX_MISSES]
        fresh = []
        for box in found:
            score = float(box[4])
            centre = (box[:2].astype(np.float64) + box[2:4]) / 2
            best, back = score, -1
            if len(recent):
                moved = np.hypot(recent[:, 3] - centre[0], recent[:, 4] - centre[1])
                value = np.array([self._worth[int(state)] for state in recent[:, 0]]) + score
                value -= moved / (self._reach * (result.index - recent[:, 2]))
                value -= MISS_COST * (self._sample - recent[:, 1] - 1)
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
        """The ball up to now; None where there was none."""
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
            track.observe(frame, box[:4], BALL, float(box[4]))
        return track


def ball_boxes(detections: Detections) -> npt.NDArray[np.float32]:
    """The balls among detections, (n, 5): x1, y1, x2, y2, score; by falling score."""
    balls = np.flatnonzero(detections.classes == BALL)
    order = balls[np.argsort(-detections.scores[balls], kind="stable")]
    table = np.empty((len(order), 5), np.float32)
    table[:, :4], table[:, 4] = detections.boxes[order], detections.scores[order]
    return table
