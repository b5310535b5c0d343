"""Measures one answer to one clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from services.pitch import BALL, CLASS_NAMES, KEYPOINT_COUNT
from services.results import FrameResult
from touchline_lab.evaluation.challenge_score import challenge_score
from touchline_lab.evaluation.detection import Scored, class_ap50
from touchline_lab.evaluation.identity import FrameTracks, hota, idf1
from touchline_lab.evaluation.pitch_error import keypoint_errors, reprojection_error
from touchline_lab.evaluation.scoring import BoxScore, score_answer
from touchline_lab.renderer.clip import GroundTruth

__all__ = ["Measures", "f1", "measure", "detector_ap50"]

Frame = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of an answer: errors in pixels, all others 0 to 1; None if they cannot be measured.

    Attributes:
        f1: Mean over the classes of the F1 score at an IoU of 0.5, over all frames.
        people_recall: Recall of goalkeepers, players and referees, class by class.
        people_precision: Precision of goalkeepers, players and referees, class by class.
        ball_recall: Recall of the ball.
        ball_precision: Precision of the ball.
        idf1: IDF1 of people; None if the ground truth has no ids.
        hota: HOTA of people; None if the ground truth has no ids.
        keypoint_px: Median error of the keypoints in source pixels.
        reprojection_px: Median over the frames of the error of ground points, in source pixels.
        keypoint_recall: Share of the keypoints in the picture that are in the answer.
        coverage: Share of the frames that are in the answer.
        located: Share of the frames with at least four keypoints.
        box_score: The part of the challenge score for boxes.
        keypoint_score: The part of the challenge score for keypoints.
        speed_score: The part of the challenge score for speed.
        score: The challenge score.
    """

    f1: float
    people_recall: float
    people_precision: float
    ball_recall: float
    ball_precision: float
    idf1: float | None
    hota: float | None
    keypoint_px: float | None
    reprojection_px: float | None
    keypoint_recall: float
    coverage: float
    located: float
    box_score: float
    keypoint_score: float
    speed_score: float
    score: float

    def to_dict(self) -> dict[str, float | None]:
        """As JSON data."""
        return asdict(self)


def f1(score: BoxScore) -> float | None:
    """The harmonic mean of recall and precision; None if there are neither true nor answered boxes."""
    both = score.expected + score.given
    return 2 * score.matched / both if both else None


def measure(
    frames: Sequence[Frame], truth: GroundTruth, ids: Sequence[Sequence[int]] | None, seconds: float
) -> Measures:
    """Measure an answer.

    Args:
        frames: The ``frames`` of a decoded answer.
        truth: The ground truth of the clip.
        ids: The id of each true box, frame by frame; None if they are not known.
        seconds: The answering time, for the challenge score.
    """
    score = score_answer(frames, truth)
    by_class = [f1(score.objects[name]) for name in CLASS_NAMES]
    known = [value for value in by_class if value is not None]
    by_number = {int(frame["frame_number"]): frame for frame in frames}
    keypoint_px, reprojection_px = _pitch_errors(by_number, truth)
    people, ball = score.objects["people"], score.objects["ball"]
    challenge = challenge_score(frames, truth, seconds)
    given, expected = _given_tracks(by_number, truth), _true_tracks(truth, ids)
    return Measures(
        f1=sum(known) / len(known) if known else 1.0,
        people_recall=people.recall,
        people_precision=people.precision,
        ball_recall=ball.recall,
        ball_precision=ball.precision,
        idf1=None if expected is None else idf1(given, expected),
        hota=None if expected is None else hota(given, expected).hota,
        keypoint_px=keypoint_px,
        reprojection_px=reprojection_px,
        keypoint_recall=score.keypoints.recall,
        coverage=score.answered,
        located=score.located,
        box_score=challenge.boxes,
        keypoint_score=challenge.keypoints,
        speed_score=challenge.speed,
        score=challenge.total,
    )


def detector_ap50(results: Sequence[FrameResult], truth: GroundTruth) -> dict[str, float | None]:
    """AP50 of the detector's boxes over the sampled frames: by class, and the mean of the classes."""
    values = {name: _class_ap50(results, truth, class_id) for class_id, name in enumerate(CLASS_NAMES)}
    known = [value for value in values.values() if value is not None]
    return {**values, "mean": sum(known) / len(known) if known else None}


def _class_ap50(results: Sequence[FrameResult], truth: GroundTruth, class_id: int) -> float | None:
    given: list[Scored] = []
    expected = []
    for result in results:
        found = result.detections
        own = found.classes == class_id
        given.append((found.boxes[own].astype(np.float64), found.scores[own].astype(np.float64)))
        boxes = [box[1:] for box in truth.frames[result.index].boxes if box[0] == class_id]
        expected.append(np.array(boxes, np.float64).reshape(-1, 4))
    return class_ap50(given, expected)


def _pitch_errors(by_number: Mapping[int, Frame], truth: GroundTruth) -> tuple[float | None, float | None]:
    """Median error of the keypoints, and median over the frames of the error of ground points."""
    errors: list[float] = []
    ground: list[float] = []
    for number, true_frame in enumerate(truth.frames):
        frame = by_number.get(number)
        if frame is None or len(frame["keypoints"]) != KEYPOINT_COUNT:
            continue
        given = np.array(frame["keypoints"], np.float64)
        errors += keypoint_errors(given, np.array(true_frame.keypoints, np.float64)).tolist()
        off = reprojection_error(given, true_frame.homography, (truth.width, truth.height))
        ground += [] if off is None else [off]
    middle = float(np.median(ground)) if ground else None
    return (
        float(np.median(errors)) if errors else None,
        middle if middle is not None and np.isfinite(middle) else None,
    )


def _given_tracks(by_number: Mapping[int, Frame], truth: GroundTruth) -> list[FrameTracks]:
    tracks = []
    for number in range(len(truth.frames)):
        objects = by_number[number]["objects"] if number in by_number else ()
        people = [found for found in objects if found["class_id"] != BALL]
        tracks.append(_tracks([found["id"] for found in people], [found["bbox"] for found in people]))
    return tracks


def _true_tracks(truth: GroundTruth, ids: Sequence[Sequence[int]] | None) -> list[FrameTracks] | None:
    if ids is None:
        return None
    tracks = []
    for frame, names in zip(truth.frames, ids, strict=True):
        people = [(who, box[1:]) for who, box in zip(names, frame.boxes, strict=True) if box[0] != BALL]
        tracks.append(_tracks([who for who, _ in people], [box for _, box in people]))
    return tracks


def _tracks(ids: Sequence[int], boxes: Sequence[Sequence[float]]) -> FrameTracks:
    return np.array(ids, np.int64), np.array(boxes, np.float64).reshape(-1, 4)
