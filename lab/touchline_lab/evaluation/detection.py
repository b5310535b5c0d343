"""Average precision of the detector's boxes, before tracking and interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from touchline_lab.evaluation.scoring import overlaps

__all__ = ["Scored", "average_precision", "class_ap50"]

FloatArray = npt.NDArray[np.float64]
Scored = tuple[FloatArray, FloatArray]
"""Boxes of one frame, shape (n, 4), and their confidences, shape (n,)."""

OVERLAP: Final = 0.5
"""IoU from which a box is right: the 50 in AP50."""
RECALL_POINTS: Final = 101
"""Recalls at which precision is averaged, as in COCO's evaluation."""


def average_precision(scores: npt.ArrayLike, correct: npt.ArrayLike, positives: int) -> float | None:
    """The mean over 101 recalls of the largest precision at that recall or a higher one, as COCO defines it.

    Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and its public evaluation.

    Args:
        scores: Confidence of every box, shape (n,).
        correct: Whether the box found a true one, shape (n,).
        positives: Number of true boxes.

    Returns:
        0 to 1, or None if there are no true boxes.
    """
    if not positives:
        return None
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    right = np.cumsum(np.asarray(correct, bool)[order])
    if not len(right):
        return 0.0
    recall = right / positives
    precision = right / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, RECALL_POINTS), side="left")
    return float(np.append(best, 0.0)[at].mean())


def class_ap50(given: Sequence[Scored], expected: Sequence[FloatArray]) -> float | None:
    """The average precision of one class at an IoU of 0.5.

    In order of their confidences, boxes are matched to the true box with the largest IoU that is still free.

    Args:
        given: Boxes with confidences, frame by frame.
        expected: True boxes, shape (m, 4), frame by frame.

    Returns:
        0 to 1, or None if there are no true boxes.
    """
    scores, correct = [], []
    for (boxes, sure), true in zip(given, expected, strict=True):
        scores.append(sure)
        correct.append(_hits(boxes, sure, true))
    if not scores:
        return None
    return average_precision(np.concatenate(scores), np.concatenate(correct), sum(len(t) for t in expected))


def _hits(boxes: FloatArray, scores: FloatArray, true: FloatArray) -> npt.NDArray[np.bool_]:
    hits = np.zeros(len(boxes), bool)
    if not len(boxes) or not len(true):
        return hits
    overlap = overlaps(boxes, true)
    for row in np.argsort(-scores, kind="stable"):
        best = int(overlap[row].argmax())
        if overlap[row, best] >= OVERLAP:
            hits[row] = True
            overlap[:, best] = -1.0
    return hits
