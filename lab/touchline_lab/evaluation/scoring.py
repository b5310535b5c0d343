"""Compares an answer with the exact ground truth of a rendered clip: boxes, classes and keypoints.

The functions work on plain data: an answer is the decoded JSON of a response.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from services.pitch import CLASS_NAMES, KEYPOINT_COUNT, PEOPLE
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

__all__ = ["BoxScore", "KeypointScore", "Score", "overlaps", "score_answer"]

FloatArray = npt.NDArray[np.float64]
Frame = Mapping[str, Any]

_OVERLAP: Final = 0.5
"""IoU from which an answered box has found a true one."""
_HOMOGRAPHY_POINTS: Final = 4
"""Keypoints that a homography needs."""


@dataclass(frozen=True, slots=True)
class BoxScore:
    """How well the boxes of some classes were found.

    Attributes:
        matched: Number of answered boxes that overlap a true box of their class by an IoU of 0.5, one to one.
        expected: Number of true boxes.
        given: Number of answered boxes.
    """

    matched: int
    expected: int
    given: int

    @property
    def recall(self) -> float:
        """The share of true boxes that were found; 1 if there are none."""
        return self.matched / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        """The share of answered boxes that are right; 1 if there are none."""
        return self.matched / self.given if self.given else 1.0

    def __add__(self, other: BoxScore) -> BoxScore:
        return BoxScore(
            self.matched + other.matched, self.expected + other.expected, self.given + other.given
        )


@dataclass(frozen=True, slots=True)
class KeypointScore:
    """How well the pitch was found.

    Attributes:
        median_error: Median error in source pixels of the keypoints that are in the picture and in the
            answer; infinite if there are none.
        error_90: 90th percentile of the same errors.
        recall: Share of the keypoints in the picture that are in the answer.
        false_share: Share of the answer's keypoints inside the picture that are not in it in truth.
    """

    median_error: float
    error_90: float
    recall: float
    false_share: float


@dataclass(frozen=True, slots=True)
class Score:
    """The measure of a whole answer.

    Attributes:
        objects: Score of the boxes by class name, and under ``people`` of the three classes of people.
        keypoints: Score of the keypoints.
        frames: Number of frames of the clip.
        answered: Share of the frames that are in the answer.
        located: Share of the frames with at least four keypoints.
    """

    objects: dict[str, BoxScore]
    keypoints: KeypointScore
    frames: int
    answered: float
    located: float

    def to_dict(self) -> dict[str, Any]:
        """The score as JSON data, with recall and precision."""
        data = asdict(self)
        for name, score in self.objects.items():
            data["objects"][name] |= {"recall": score.recall, "precision": score.precision}
        for name, value in data["keypoints"].items():
            data["keypoints"][name] = value if np.isfinite(value) else None
        return data


def overlaps(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """Intersection over union (IoU) of every pair.

    Args:
        boxes: Corners x1, y1, x2, y2, shape (N, 4).
        others: Corners likewise, shape (M, 4).

    Returns:
        Shape (N, M).
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    other_area = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1)
    union = area[:, None] + other_area[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), dtype=np.float64)


def score_answer(answer: Iterable[Frame], truth: GroundTruth) -> Score:
    """Compare an answer with the ground truth.

    Args:
        answer: The ``frames`` of an answer: mappings with ``frame_number``, ``keypoints`` and ``objects``.
            Frames that the clip does not have are ignored; frames missing from the answer count as empty.
        truth: The ground truth of the clip.

    Returns:
        The score over all frames of the clip.
    """
    by_number = {int(frame["frame_number"]): frame for frame in answer}
    objects = {class_id: BoxScore(0, 0, 0) for class_id in range(len(CLASS_NAMES))}
    errors: list[FloatArray] = []
    expected = given = false = located = 0
    for number, true_frame in enumerate(truth.frames):
        frame = by_number.get(number)
        for class_id in objects:
            objects[class_id] += _match(_given_boxes(frame, class_id), _true_boxes(true_frame, class_id))
        positions = _given_keypoints(frame)
        true_positions = np.array(true_frame.keypoints, dtype=np.float64)
        here, visible = _present(positions), _present(true_positions)
        inside = here & (positions >= 0).all(axis=1) & (positions < (truth.width, truth.height)).all(axis=1)
        located += int(here.sum() >= _HOMOGRAPHY_POINTS)
        expected += int(visible.sum())
        given += int(inside.sum())
        false += int((inside & ~visible).sum())
        both = here & visible
        errors.append(np.linalg.norm(positions[both] - true_positions[both], axis=1))
    count = len(truth.frames)
    named = {CLASS_NAMES[class_id]: score for class_id, score in objects.items()}
    named["people"] = sum((objects[class_id] for class_id in PEOPLE), BoxScore(0, 0, 0))
    return Score(
        objects=named,
        keypoints=_keypoint_score(np.concatenate(errors or [np.empty(0)]), expected, given, false),
        frames=count,
        answered=sum(number in by_number for number in range(count)) / max(1, count),
        located=located / max(1, count),
    )


def _match(given: FloatArray, expected: FloatArray) -> BoxScore:
    """Pair answered and true boxes, one to one, for the largest total IoU."""
    matched = 0
    if len(given) and len(expected):
        overlap = overlaps(given, expected)
        rows, columns = linear_sum_assignment(np.where(overlap >= _OVERLAP, overlap, 0.0), maximize=True)
        matched = int((overlap[rows, columns] >= _OVERLAP).sum())
    return BoxScore(matched, len(expected), len(given))


def _given_boxes(frame: Frame | None, class_id: int) -> FloatArray:
    objects = cast("Sequence[Frame]", frame["objects"]) if frame is not None else ()
    boxes = [found["bbox"] for found in objects if found["class_id"] == class_id]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _true_boxes(frame: FrameTruth, class_id: int) -> FloatArray:
    boxes = [box[1:] for box in frame.boxes if box[0] == class_id]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _given_keypoints(frame: Frame | None) -> FloatArray:
    """The answer's keypoints, shape (32, 2); all absent if their number is wrong."""
    positions = np.array(frame["keypoints"] if frame is not None else [], dtype=np.float64)
    return positions if positions.shape == (KEYPOINT_COUNT, 2) else np.zeros((KEYPOINT_COUNT, 2))


def _present(positions: FloatArray) -> npt.NDArray[np.bool_]:
    return np.asarray((positions != 0).any(axis=1), dtype=np.bool_)


def _keypoint_score(errors: FloatArray, expected: int, given: int, false: int) -> KeypointScore:
    return KeypointScore(
        median_error=float(np.median(errors)) if len(errors) else float("inf"),
        error_90=float(np.percentile(errors, 90)) if len(errors) else float("inf"),
        recall=len(errors) / expected if expected else 1.0,
        false_share=false / given if given else 0.0,
    )
