"""The confidence of each box of an interpolated clip, from the detections around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.results import Floats, FrameResult
from services.tracking.interpolation.fill import FilledClip


def confidences(
    filled: FilledClip, results: Sequence[FrameResult], minimum: float
) -> npt.NDArray[np.float64]:
    """The confidence of every box: in a sampled frame its detection's, otherwise interpolated.

    Args:
        filled: All frames.
        results: The sampled frames, by rising number.
        minimum: The confidence of a box without a detection.

    Returns:
        (boxes,) 0 to 1, in the order of `filled.boxes`.
    """
    own = np.full(len(filled.frame), np.nan)
    for result in results:
        first, end = np.searchsorted(filled.frame, [result.index, result.index + 1])
        nearest = nearest_detections(filled.boxes[first:end], result.detections.boxes)
        found = nearest >= 0
        own[first:end][found] = result.detections.scores[nearest[found]]
    scores = np.full(len(own), minimum)
    for track in np.unique(filled.ids):
        mine = np.flatnonzero(filled.ids == track)
        known = mine[~np.isnan(own[mine])]
        if len(known):
            scores[mine] = np.interp(filled.frame[mine], filled.frame[known], own[known])
    return scores


def nearest_detections(boxes: npt.NDArray[np.float64], found: Floats) -> npt.NDArray[np.int64]:
    """The detection whose middle is nearest to that of each box; -1 where none lies within its size.

    Args:
        boxes: (n, 4) x1, y1, x2, y2.
        found: (m, 4) those of the detections.
    """
    if not len(boxes) or not len(found):
        return np.full(len(boxes), -1, np.int64)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.linalg.norm(middles[:, None] - (found[:, :2] + found[:, 2:])[None] / 2, axis=2)
    nearest = away.argmin(axis=1)
    reach = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    near = away[np.arange(len(boxes)), nearest] <= reach
    return np.where(near, nearest, -1).astype(np.int64)
