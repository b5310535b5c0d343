"""From a model's raw output to boxes, with greedy non-maximum suppression across classes.

The result is that of ultralytics' `non_max_suppression` with one class per box, without torch and without its
limit by the clock, which would make answers depend on the load.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.inference.backend import RawOutput

Rows = npt.NDArray[np.float32]
"""(n, 6) of one picture: x1, y1, x2, y2 in model input pixels, score, class; by falling score."""

MAX_CANDIDATES: Final = 3000
"""Boxes of one picture that are compared with each other, the best ones; the time grows with the square."""


def suppress(raw: RawOutput, limits: Rows, iou: float, maximum: int) -> list[Rows]:
    """Boxes of each picture from the output of a model without built-in suppression.

    Args:
        raw: (pictures, 4 + classes, anchors): centre, width, height in model input pixels, then class scores.
        limits: (classes,), what a score has to exceed; infinite for classes that are not wanted.
        iou: A box that overlaps a better one by more than this is dropped.
        maximum: Maximum number of boxes of a picture.
    """
    above = raw[:, 4:].max(axis=1) > limits.min()
    return [_of_picture(raw[i][:, above[i]], limits, iou, maximum) for i in range(len(raw))]


def select(raw: RawOutput, limits: Rows, maximum: int) -> list[Rows]:
    """Boxes of each picture from the output of a model with built-in suppression.

    Args:
        raw: (pictures, boxes, 6), each as in `Rows`.
        limits: As for `suppress`.
        maximum: As for `suppress`.
    """
    return [rows[rows[:, 4] > limits[rows[:, 5].astype(np.int64)]][:maximum] for rows in raw]


def _of_picture(found: Rows, limits: Rows, iou: float, maximum: int) -> Rows:
    if not found.shape[1]:
        return np.zeros((0, 6), np.float32)
    classes, scores = found[4:].argmax(axis=0), found[4:].max(axis=0)
    wanted = scores > limits[classes]
    found, classes, scores = found[:, wanted], classes[wanted], scores[wanted]
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    rows = np.empty((len(order), 6), np.float32)
    half = found[2:4, order] / 2
    rows[:, :2] = (found[:2, order] - half).T
    rows[:, 2:4] = (found[:2, order] + half).T
    rows[:, 4], rows[:, 5] = scores[order], classes[order]
    return rows[_survivors(rows[:, :4], iou)[:maximum]]


def _survivors(boxes: Rows, iou: float) -> npt.NDArray[np.int64]:
    """Positions that greedy suppression keeps, for boxes by falling score."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    overlaps = shared > iou * (area[:, None] + area[None] - shared)
    dropped = np.zeros(len(boxes), bool)
    # every box overlaps itself: those that overlap no other one are kept anyway
    for position in np.flatnonzero(overlaps.sum(axis=1) > 1):
        if not dropped[position]:
            dropped[position + 1 :] |= overlaps[position, position + 1 :]
    return np.flatnonzero(~dropped)
