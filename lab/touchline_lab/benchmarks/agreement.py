"""Compares the boxes of two detectors on the same pictures, where there is no ground truth."""

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
"""IoU from which two boxes are the same object, as in AP50."""
FOLLOWS = 0.3
"""IoU from which boxes in two neighbouring pictures are the same person, who may have moved a little."""
BANDS = (0.0, 0.06, 0.1, 0.16, 1.0)
"""Limits between classes of small and large people, as shares of the height of the picture."""
OFF_PITCH_M = 3.0
"""Metres outside the lines up to which people belong to the match: linesmen, throw-ins, errors of the
camera."""


@dataclass(frozen=True)
class Agreement:
    """Boxes of a detector against those of a reference, over all pictures.

    Attributes:
        matched: Boxes that overlap a box of the reference by `OVERLAP`, one to one.
        expected: Boxes of the reference.
        given: Boxes of the detector.
        by_height: Matched and expected boxes by the height of the reference's box, for each of `BANDS`.
    """

    matched: int
    expected: int
    given: int
    by_height: tuple[tuple[int, int], ...]

    @property
    def recall(self) -> float | None:
        """The share of the reference's boxes that the detector has; None if the reference has none."""
        return self.matched / self.expected if self.expected else None

    @property
    def precision(self) -> float | None:
        """The share of the detector's boxes that the reference has; None if the detector has none."""
        return self.matched / self.given if self.given else None


def pairs(boxes: Boxes, others: Boxes, minimum: float = OVERLAP) -> list[tuple[int, int]]:
    """Pair boxes one to one for the largest total IoU; only pairs with an IoU of `minimum` count."""
    if not len(boxes) or not len(others):
        return []
    overlap = overlaps(boxes, others)
    chosen = zip(
        *linear_sum_assignment(np.where(overlap >= minimum, overlap, 0.0), maximize=True), strict=True
    )
    return [(int(row), int(column)) for row, column in chosen if overlap[row, column] >= minimum]


def agreement(given: Sequence[Boxes], reference: Sequence[Boxes], height: float) -> Agreement:
    """Compare boxes picture by picture.

    Args:
        given: Boxes of the detector in each picture, shape (n, 4), in pixels.
        reference: Boxes of the reference in each picture, shape (m, 4), in pixels.
        height: Height of the pictures in pixels.
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
    """How steadily a detector finds the same people from picture to picture; it needs no reference.

    Attributes:
        kept: People who were found in three pictures in a row.
        bridged: People who were found in a picture and in the next but one.
        flashes: Boxes without a counterpart in the picture before and in the picture after.
        boxes: All boxes in pictures that have a picture before and after.
    """

    kept: int
    bridged: int
    flashes: int
    boxes: int

    @property
    def gaps(self) -> float | None:
        """The share of people found before and after who are missed in between; None if there are none."""
        return 1 - self.kept / self.bridged if self.bridged else None

    @property
    def flashing(self) -> float | None:
        """The share of boxes that exist in one picture only; None if there are no boxes."""
        return self.flashes / self.boxes if self.boxes else None


def steadiness(given: Sequence[Boxes]) -> Steadiness:
    """Measure over all triples of pictures in a row.

    Args:
        given: Boxes of people in each picture, shape (n, 4). Between two pictures people have to move by less
            than their width.
    """
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
    """Tell who stands more than `OFF_PITCH_M` outside the lines, by the middle of the lower edge of the box.

    Args:
        boxes: Boxes of people, shape (n, 4), in pixels.
        homography: The map from the pitch in metres to pixels.

    Returns:
        Shape (n,).
    """
    feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]).reshape(-1, 2)
    ground = project(inverse(homography), feet)
    limit = np.array([LENGTH_CM, WIDTH_CM]) / 100
    inside = (ground >= -OFF_PITCH_M) & (ground <= limit + OFF_PITCH_M)
    return np.asarray(~inside.all(axis=1), np.bool_)


def unmatched(boxes: Boxes, reference: Boxes) -> Bools:
    """Tell which boxes the reference does not have; shape (n,)."""
    alone = np.ones(len(boxes), bool)
    alone[[row for row, _ in pairs(boxes, reference)]] = False
    return alone
