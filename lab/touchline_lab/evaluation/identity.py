"""Measures whether people keep their ids: IDF1 and HOTA over whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from touchline_lab.evaluation.scoring import overlaps

__all__ = ["FrameTracks", "Hota", "hota", "idf1"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FrameTracks = tuple[IntArray, FloatArray]
"""Ids of one frame, shape (n,), and their boxes, shape (n, 4); no id occurs twice."""

OVERLAP: Final = 0.5
"""IoU from which two boxes are the same object for IDF1."""
ALPHAS: Final = tuple(float(alpha) for alpha in np.arange(1, 20) / 20)
"""IoU thresholds that HOTA averages over: 0.05 to 0.95."""


def idf1(given: Sequence[FrameTracks], expected: Sequence[FrameTracks]) -> float:
    """The F1 score of identities under the best one-to-one pairing of whole tracks.

    Source: Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking,
    ECCV 2016 workshops. Minimising misses and false alarms of identities is the same as maximising the
    number of frames in which paired tracks overlap by an IoU of 0.5.

    Args:
        given: Tracks of the answer, frame by frame.
        expected: True tracks, frame by frame.

    Returns:
        0 to 1; 1 if there are neither true nor answered tracks.
    """
    rows, columns = _numbers(expected), _numbers(given)
    together = np.zeros((len(rows), len(columns)))
    for (ids, boxes), (true_ids, true_boxes) in zip(given, expected, strict=True):
        if len(ids) and len(true_ids):
            near = overlaps(true_boxes, boxes) >= OVERLAP
            at = np.ix_([rows[int(i)] for i in true_ids], [columns[int(i)] for i in ids])
            together[at] += near
    paired = together[linear_sum_assignment(together, maximize=True)].sum()
    boxes_in_all = sum(len(ids) for ids, _ in given) + sum(len(ids) for ids, _ in expected)
    return float(2 * paired / boxes_in_all) if boxes_in_all else 1.0


@dataclass(frozen=True, slots=True)
class Hota:
    """HOTA and its two parts, averaged over the IoU thresholds; each 0 to 1.

    Attributes:
        hota: Geometric mean of both parts at each threshold, averaged.
        detection: Detection accuracy.
        association: Association accuracy.
    """

    hota: float
    detection: float
    association: float


def hota(given: Sequence[FrameTracks], expected: Sequence[FrameTracks]) -> Hota:
    """Higher Order Tracking Accuracy.

    Source: Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2020. At
    each threshold, boxes are paired frame by frame, preferably those whose tracks agree over the whole clip,
    then those with a large IoU. HOTA is the geometric mean of the detection accuracy, the share of right
    detections, and the association accuracy, the mean agreement of the two tracks of each right detection.

    Args:
        given: Tracks of the answer, frame by frame.
        expected: True tracks, frame by frame.
    """
    rows, columns = _numbers(expected), _numbers(given)
    lengths, true_lengths = np.zeros(len(columns)), np.zeros(len(rows))
    potential = np.zeros((len(rows), len(columns)))
    frames: list[tuple[IntArray, IntArray, FloatArray]] = []
    for (ids, boxes), (true_ids, true_boxes) in zip(given, expected, strict=True):
        row = np.array([rows[int(i)] for i in true_ids], np.int64)
        column = np.array([columns[int(i)] for i in ids], np.int64)
        true_lengths[row] += 1
        lengths[column] += 1
        overlap = overlaps(true_boxes.reshape(-1, 4), boxes.reshape(-1, 4))
        if overlap.size:
            union = overlap.sum(0)[None] + overlap.sum(1)[:, None] - overlap
            potential[np.ix_(row, column)] += np.where(union > 1e-9, overlap / np.maximum(union, 1e-9), 0.0)
            frames.append((row, column, overlap))
    alignment = potential / np.maximum(true_lengths[:, None] + lengths[None] - potential, 1e-9)
    in_all = float(true_lengths.sum() + lengths.sum())
    if not in_all:
        return Hota(1.0, 1.0, 1.0)
    # the pairing of a frame prefers tracks that agree; a threshold then decides which of its pairs count
    paired = [_paired(row, column, overlap, alignment) for row, column, overlap in frames]
    parts = [_at(alpha, paired, true_lengths, lengths, in_all) for alpha in ALPHAS]
    values = np.array([(np.sqrt(found * together), found, together) for found, together in parts]).mean(0)
    return Hota(float(values[0]), float(values[1]), float(values[2]))


def _paired(
    row: IntArray, column: IntArray, overlap: FloatArray, alignment: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    first, second = linear_sum_assignment(alignment[np.ix_(row, column)] * overlap, maximize=True)
    return row[first], column[second], overlap[first, second]


def _at(
    alpha: float,
    paired: Sequence[tuple[IntArray, IntArray, FloatArray]],
    true_lengths: FloatArray,
    lengths: FloatArray,
    in_all: float,
) -> tuple[float, float]:
    """Detection and association accuracy at one threshold."""
    together = np.zeros((len(true_lengths), len(lengths)))
    for row, column, overlap in paired:
        near = overlap >= alpha - 1e-9
        np.add.at(together, (row[near], column[near]), 1.0)
    right = float(together.sum())
    if not right:
        return 0.0, 0.0
    jaccard = together / np.maximum(true_lengths[:, None] + lengths[None] - together, 1.0)
    return right / (in_all - right), float((together * jaccard).sum() / right)


def _numbers(frames: Sequence[FrameTracks]) -> dict[int, int]:
    """Number all ids from 0."""
    return {who: number for number, who in enumerate(sorted({int(i) for ids, _ in frames for i in ids}))}
