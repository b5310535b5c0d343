"""Whether people keep their ids: IDF1 and HOTA over whole clips."""

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
"""Ids (n,) of one frame and their boxes (n, 4); no id twice in a frame."""

OVERLAP: Final = 0.5
ALPHAS: Final = tuple(float(alpha) for alpha in np.arange(1, 20) / 20)


def idf1(given: Sequence[FrameTracks], expected: Sequence[FrameTracks]) -> float:
    """The F1 of identities under the best one-to-one pairing of whole tracks.

    Source: Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking,
    ECCV 2016 workshops. Minimising misses and false alarms of identities is maximising the frames in which
    paired tracks overlap by half.

    Returns:
        0 to 1; 1 where there is nothing to find and nothing was given.
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
    """HOTA and its two halves, averaged over the overlap thresholds; each 0 to 1."""

    hota: float
    detection: float
    association: float


def hota(given: Sequence[FrameTracks], expected: Sequence[FrameTracks]) -> Hota:
    """Higher Order Tracking Accuracy.

    Source: Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2020. At
    each threshold, boxes are paired frame by frame for the most pairs of tracks that go together over the
    whole clip, then for overlap; HOTA is the geometric mean of the share of detections that are right and,
    over those, of how much of the two tracks goes together.
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
    # the pairing of a frame prefers aligned tracks; a threshold then says which of its pairs count
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
    """A number from 0 for every id."""
    return {who: number for number, who in enumerate(sorted({int(i) for ids, _ in frames for i in ids}))}
