"""The one ball of a shot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.contracts.results import Detections, FrameResult
from services.tracking.camera import Matrix
from services.tracking.track import BALL, Track


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
        track.see(results[sample].index, box[:4], BALL, float(box[4]))
    return track


def _best_balls(detections: Detections) -> npt.NDArray[np.float32]:
    balls = np.flatnonzero(detections.classes == BALL)
    order = balls[np.argsort(-detections.scores[balls], kind="stable")][:4]
    table = np.c_[detections.boxes[order], detections.scores[order]]
    return np.asarray(table, np.float32).reshape(-1, 5)


def _centre(box: npt.NDArray[np.float32]) -> Matrix:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float64)
