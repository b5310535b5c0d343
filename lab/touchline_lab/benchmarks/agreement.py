"""What two detectors say about the same pictures, where nobody knows the truth: plain functions of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.pitch import LENGTH_CM, WIDTH_CM
from services.tracking.camera.homography import Matrix, inverse, project
from touchline_lab.evaluation.scoring import overlaps

Boxes = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

OVERLAP = 0.5
FOLLOWS = 0.3
"""Least overlap of somebody with themselves in the next picture."""
BANDS = (0.0, 0.06, 0.1, 0.16, 1.0)
"""Heights of people, in heights of the picture, that are told apart."""
OFF_PITCH_M = 3.0
"""Linesmen and throw-ins are within this of the lines."""


@dataclass(frozen=True)
class Agreement:
    """Boxes of a detector against those of a reference, all pictures together.

    Attributes:
        matched: Boxes that overlap one of the reference by half, one to one.
        expected: The reference's.
        given: The detector's.
        by_height: Matched and expected by the height of the reference's box, for each of `BANDS`.
    """

    matched: int
    expected: int
    given: int
    by_height: tuple[tuple[int, int], ...]

    @property
    def recall(self) -> float | None:
        """The share of the reference's boxes that the detector has; None where there are none."""
        return self.matched / self.expected if self.expected else None

    @property
    def precision(self) -> float | None:
        """The share of the detector's boxes that the reference has; None where there are none."""
        return self.matched / self.given if self.given else None


def pairs(boxes: Boxes, others: Boxes, least: float = OVERLAP) -> list[tuple[int, int]]:
    """Pairs of boxes, one to one, that overlap by ``least`` or more, for the greatest overlap in all."""
    if not len(boxes) or not len(others):
        return []
    overlap = overlaps(boxes, others)
    chosen = zip(*linear_sum_assignment(np.where(overlap >= least, overlap, 0.0), maximize=True), strict=True)
    return [(int(row), int(column)) for row, column in chosen if overlap[row, column] >= least]


def agreement(given: Sequence[Boxes], reference: Sequence[Boxes], height: float) -> Agreement:
    """Compare picture by picture.

    Args:
        given: Boxes (n, 4) of the detector in each picture.
        reference: Boxes (m, 4) of the reference.
        height: Of the pictures, in pixels.
    """
    matched = expected = answered = 0
    bands = np.zeros((len(BANDS) - 1, 2), int)
    for ours, theirs in zip(given, reference, strict=True):
        found = [column for _, column in pairs(ours, theirs)]
        matched, expected, answered = matched + len(found), expected + len(theirs), answered + len(ours)
        band = np.digitize((theirs[:, 3] - theirs[:, 1]) / height, BANDS[1:-1])
        np.add.at(bands[:, 1], band, 1)
        np.add.at(bands[:, 0], band[found], 1)
    return Agreement(matched, expected, answered, tuple((int(a), int(b)) for a, b in bands))


@dataclass(frozen=True)
class Steadiness:
    """How a detector's people come and go; no reference is needed for it.

    Attributes:
        kept: Those of a picture that are in the next but one as well, and in between.
        bridged: Those of a picture that are in the next but one as well.
        flashes: Boxes that neither the picture before nor the one after has.
        boxes: All that have a picture before and after.
    """

    kept: int
    bridged: int
    flashes: int
    boxes: int

    @property
    def gaps(self) -> float | None:
        """How often somebody who is seen before and after is not seen in between."""
        return 1 - self.kept / self.bridged if self.bridged else None

    @property
    def flashing(self) -> float | None:
        """The share of boxes that are in one picture only."""
        return self.flashes / self.boxes if self.boxes else None


def steadiness(given: Sequence[Boxes]) -> Steadiness:
    """Measure three pictures in a row at a time; people must move by less than their width between two."""
    kept = bridged = flashes = boxes = 0
    for before, now, after in zip(given, given[1:], given[2:], strict=False):
        through = pairs(before, after, FOLLOWS)
        middle = np.array([(before[a] + after[b]) / 2 for a, b in through]).reshape(-1, 4)
        bridged += len(through)
        kept += len(pairs(middle, now, FOLLOWS))
        boxes += len(now)
        alone = np.ones(len(now), bool)
        for other in (before, after):
            alone[[row for row, _ in pairs(now, other, FOLLOWS)]] = False
        flashes += int(alone.sum())
    return Steadiness(kept, bridged, flashes, boxes)


def off_pitch(boxes: Boxes, homography: Matrix) -> Bools:
    """Whose feet stand more than `OFF_PITCH_M` outside the lines, shape (n,).

    Args:
        boxes: People (n, 4), in pixels.
        homography: From the pitch in metres to pixels.
    """
    feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]).reshape(-1, 2)
    ground = project(inverse(homography), feet)
    limit = np.array([LENGTH_CM, WIDTH_CM]) / 100
    inside = (ground >= -OFF_PITCH_M) & (ground <= limit + OFF_PITCH_M)
    return np.asarray(~inside.all(axis=1), np.bool_)


def unmatched(boxes: Boxes, reference: Boxes) -> Bools:
    """Which boxes the reference does not have, shape (n,)."""
    alone = np.ones(len(boxes), bool)
    alone[[row for row, _ in pairs(boxes, reference)]] = False
    return alone
