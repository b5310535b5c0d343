"""From a YOLO head's raw output to boxes: the best class of each anchor, and greedy suppression.

The same as ultralytics' `non_max_suppression` with one class per box and across classes, without torch and
without its limit by the clock.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float32]


def suppress(
    raw: Rows, *, classes: npt.NDArray[np.int64], confidence: float | Rows, iou: float, maximum: int
) -> list[Rows]:
    """Boxes of each picture.

    Args:
        raw: (pictures, 4 + classes, anchors): centre, width, height in input pixels, then class scores.
        classes: The model's own class ids that are wanted.
        confidence: Minimum score, one for all or (classes,) one for each of the model's own.
        iou: Boxes that overlap a better one by more than this are dropped.
        maximum: Maximum number of boxes of a picture.

    Returns:
        Per picture (n, 6): x1, y1, x2, y2, score, class id; by falling score.
    """
    scores = raw[:, 4:]
    best = scores.max(axis=1)
    limits = np.broadcast_to(np.asarray(confidence, np.float32), scores.shape[1])
    above = best > limits.min()
    # no score is above that of a class that is not wanted
    limits = np.where(np.isin(np.arange(len(limits)), classes), limits, np.inf).astype(np.float32)
    return [_one(raw[i], above[i], limits, iou, maximum) for i in range(len(raw))]


def _one(
    raw: Rows,
    kept: npt.NDArray[np.bool_],
    limits: Rows,
    iou: float,
    maximum: int,
) -> Rows:
    found = raw[:, kept]
    own = found[4:].argmax(axis=0)
    score = found[4:].max(axis=0) if found.shape[1] else np.zeros(0, np.float32)
    wanted = score > limits[own]
    found, own, score = found[:, wanted], own[wanted], score[wanted]
    order = np.argsort(-score, kind="stable")
    rows = np.empty((len(order), 6), np.float32)
    half = found[2:4, order] / 2
    rows[:, :2] = (found[:2, order] - half).T
    rows[:, 2:4] = (found[:2, order] + half).T
    rows[:, 4], rows[:, 5] = score[order], own[order]
    return rows[_survivors(rows[:, :4], iou)[:maximum]]


def _survivors(boxes: Rows, iou: float) -> npt.NDArray[np.int64]:
    """Positions that greedy suppression keeps, for boxes by falling score."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    above = shared > iou * (area[:, None] + area[None] - shared)
    dead = np.zeros(len(boxes), bool)
    # a box is above itself; those that are above no other need no look
    for position in np.flatnonzero(above.sum(axis=1) > 1):
        if not dead[position]:
            dead[position + 1 :] |= above[position, position + 1 :]
    return np.flatnonzero(~dead)
