"""Average precision of scored boxes, before tracks and fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from touchline_lab.evaluation.scoring import overlaps

__all__ = ["Scored", "average_precision", "class_ap50"]

FloatArray = npt.NDArray[np.float64]
Scored = tuple[FloatArray, FloatArray]
"""Boxes (n, 4) of one frame and their scores (n,)."""

OVERLAP: Final = 0.5
RECALL_POINTS: Final = 101


def average_precision(scores: npt.ArrayLike, correct: npt.ArrayLike, positives: int) -> float | None:
    """The mean of the greatest precision at or past each of 101 recalls, as COCO's evaluation has it.

    Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and its public evaluation.

    Args:
        scores: Confidence of every given box, shape (n,).
        correct: Whether it found a true one, shape (n,).
        positives: True boxes.

    Returns:
        0 to 1, or None where there is nothing to find.
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
    """AP of one class at an overlap of one half.

    Boxes choose in order of their scores, each the free true box that it overlaps most.

    Args:
        given: Scored boxes, frame by frame.
        expected: True boxes (m, 4), frame by frame.
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
