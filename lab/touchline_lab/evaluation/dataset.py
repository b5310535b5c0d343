"""Models measured on labelled pictures: boxes and pitch keypoints in the YOLO layout.

    DIR/images/NAME.jpg
    DIR/labels/NAME.txt           one row per box:  class x y width height, in shares of the picture
    DIR/pitch_labels/NAME.txt     one row per pitch: class, its box, then 32 times x y visibility

Rows with 101 values in `labels` are read as pitches, too. Either folder may be missing. Classes are those of
the wire format (0 ball, 1 goalkeeper, 2 player, 3 referee); keypoints are in the wire format's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from services.challenges.kind import Predictor
from services.frame_plan import FramePlan
from services.pitch import BALL, CLASS_NAMES, KEYPOINT_COUNT
from services.results import FrameResult, LumaPicture
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.geometry import PitchVotes
from services.tracking.camera.homography import PictureSize, project
from services.tracking.camera.location import locate
from services.video.letterbox import Frame, Letterbox
from services.video.luma import WIDTH, resized
from services.video.picture_clip import PictureClip
from touchline_lab.evaluation.detection import Scored, class_ap50
from touchline_lab.evaluation.scoring import overlaps

Floats = npt.NDArray[np.float64]

PITCH_VALUES: Final = 5 + 3 * KEYPOINT_COUNT
"""Values in the row of a pitch."""
REFERENCE_WIDTH: Final = 1280
"""Pixel errors and heights are given for pictures of this width."""
NEAR_PX: Final = 15.0
"""A homography counts as right when the median error of the labelled keypoints is at most this."""
HEIGHTS: Final = (0, 20, 40, 80)
"""Lower limits of the classes of people's heights, in pixels of a picture 1280 wide."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture with its labels, in source pixels.

    Attributes:
        name: The file's name without its suffix.
        image: (height, width, 3) uint8, BGR.
        boxes: (n, 5) class, x1, y1, x2, y2; None where boxes are not labelled.
        keypoints: (32, 2), NaN for an absent one; None where the pitch is not labelled.
    """

    name: str
    image: npt.NDArray[np.uint8]
    boxes: Floats | None
    keypoints: Floats | None


@dataclass(slots=True)
class PitchTotals:
    """What was found of the labelled pitches.

    Attributes:
        pictures: Pictures with a labelled pitch.
        found: Of these, pictures with a homography.
        near: Of these, pictures whose median error is at most `NEAR_PX`.
        errors: Median reprojection error of each homography, pixels of a picture 1280 wide.
        surplus: Keypoints that were found where none is labelled.
    """

    pictures: int = 0
    found: int = 0
    near: int = 0
    errors: list[float] = field(default_factory=list)
    surplus: int = 0


def aspect_ratio(text: str) -> float:
    """Width over height, from a text such as 16:9.

    Raises:
        ValueError: It is no ratio.
    """
    width, colon, height = text.partition(":")
    try:
        return float(width) / float(height if colon else "1")
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"--aspect {text!r} is not a ratio such as 16:9") from error


def read_dataset(
    folder: Path, aspect: float | None = None, beginnings: tuple[str, ...] = ()
) -> Iterator[LabelledPicture]:
    """Read the pictures of a folder, by name.

    Args:
        folder: The data set.
        aspect: Width over height that the pictures are stretched to, for sets that were stored stretched.
        beginnings: Only pictures whose names begin with one of these; all where there are none.

    Raises:
        ValueError: There are no pictures, or a label file is malformed; the text names the file.
    """
    files = sorted(path for path in (folder / "images").glob("*") if path.suffix in (".jpg", ".jpeg", ".png"))
    if not files:
        raise ValueError(f"{folder / 'images'} has no JPEG or PNG pictures")
    if beginnings:
        files = [file for file in files if file.name.startswith(beginnings)]
        if not files:
            raise ValueError(f"no picture of {folder / 'images'} begins with {' or '.join(beginnings)}")
    for file in files:
        image = np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR), np.uint8)
        if aspect is not None:
            size = round(image.shape[0] * aspect), image.shape[0]
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        size = image.shape[1], image.shape[0]
        rows = _rows(folder / "labels" / f"{file.stem}.txt")
        pitches = _rows(folder / "pitch_labels" / f"{file.stem}.txt")
        if rows is not None and rows and len(rows[0]) == PITCH_VALUES:
            rows, pitches = None, rows
        yield LabelledPicture(file.stem, image, _boxes(rows, size), _keypoints(pitches, size))


def _rows(file: Path) -> list[list[float]] | None:
    if not file.is_file():
        return None
    rows = [
        [float(value) for value in line.split()] for line in file.read_text().splitlines() if line.strip()
    ]
    if any(len(row) not in (5, PITCH_VALUES) for row in rows):
        raise ValueError(f"{file}: a row has 5 values for a box or {PITCH_VALUES} for a pitch")
    return rows


def _boxes(rows: list[list[float]] | None, size: tuple[int, int]) -> Floats | None:
    if rows is None:
        return None
    table = np.array(rows, np.float64).reshape(-1, 5)
    half = table[:, 3:] / 2
    corners = np.concatenate([table[:, 1:3] - half, table[:, 1:3] + half], axis=1)
    return np.concatenate([table[:, :1], corners * [*size, *size]], axis=1)


def _keypoints(rows: list[list[float]] | None, size: tuple[int, int]) -> Floats | None:
    if not rows:
        return None
    values = np.array(rows[0][5:], np.float64).reshape(KEYPOINT_COUNT, 3)
    present = (values[:, 2] > 0) & (values[:, :2] > 0).all(axis=1)
    return np.where(present[:, None], values[:, :2] * size, np.nan)


def infer_picture(picture: LabelledPicture, predictor: Predictor[FrameResult], img_size: int) -> FrameResult:
    """Run a predictor's detector and pitch model on one picture; the ball is not searched at full size."""
    frame, letterbox = _frame(picture, img_size)
    return predictor.predict([frame], letterbox)[0]


def infer_with_second_pass(
    picture: LabelledPicture, predictor: Predictor[FrameResult], img_size: int
) -> FrameResult:
    """The same as in a sampled frame of a clip: the ball is searched again, but without frames before it."""
    frame, letterbox = _frame(picture, img_size, full_luma=True)
    height, width = picture.image.shape[:2]
    scale = max(width, height) / WIDTH
    grey = np.asarray(cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY), np.uint8)
    lit = replace(frame, luma_pictures=(LumaPicture(0, resized(grey, (width, height), scale), scale),))
    return second_ball_pass(predictor, PictureSize(width, height))(predictor.predict([lit], letterbox)[0])


def _frame(picture: LabelledPicture, img_size: int, *, full_luma: bool = False) -> tuple[Frame, Letterbox]:
    data = cv2.imencode(".png", picture.image)[1].tobytes()
    clip = PictureClip(1, lambda _: data, 1 << 26)
    letterbox = Letterbox.fit(clip.width, clip.height, img_size)
    (frame,) = clip.frames(FramePlan(1, 1, full_luma=full_luma), letterbox)
    return frame, letterbox


def evaluate_ball(
    pictures: Sequence[tuple[LabelledPicture, FrameResult]], confidence: float
) -> dict[str, float | int | None] | None:
    """Measure the balls of an answer, at most one a picture; None where no boxes are labelled."""
    labelled = [(picture, _best_ball(result)) for picture, result in pictures if picture.boxes is not None]
    return _class_measures(labelled, (BALL,), confidence) if labelled else None


def _best_ball(result: FrameResult) -> FrameResult:
    """The result with its surest ball alone: an answer has one ball."""
    balls = np.flatnonzero(result.detections.classes == BALL)
    chosen = np.zeros(len(result.detections.classes), bool)
    if len(balls):
        chosen[balls[result.detections.scores[balls].argmax()]] = True
    return replace(result, detections=result.detections.select(chosen))


def evaluate_dataset(
    pictures: Sequence[tuple[LabelledPicture, FrameResult]], confidence: float
) -> dict[str, Any]:
    """Measure results against labels.

    Args:
        pictures: Labelled pictures with their results; boxes down to a low confidence, for average precision.
        confidence: Threshold for recall and precision.

    Returns:
        `boxes`: for each class and for people AP50, recall, precision and the number of true boxes, and
        recall of people by height; `pitch`: see `PitchTotals`. A part without labels is missing.
    """
    found: dict[str, Any] = {"pictures": len(pictures)}
    labelled = [(p, r) for p, r in pictures if p.boxes is not None]
    if labelled:
        names = {**{name: (number,) for number, name in enumerate(CLASS_NAMES)}, "people": (1, 2, 3)}
        found["boxes"] = {name: _class_measures(labelled, ids, confidence) for name, ids in names.items()}
        found["recall_by_height"] = _recall_by_height(labelled, confidence)
    with_pitch = [(p, r) for p, r in pictures if p.keypoints is not None]
    if with_pitch:
        found["pitch"] = _pitch_measures(with_pitch)
    return found


def _class_measures(
    pictures: Sequence[tuple[LabelledPicture, FrameResult]], ids: tuple[int, ...], confidence: float
) -> dict[str, float | int | None]:
    given: list[Scored] = []
    expected: list[Floats] = []
    hits = answers = 0
    for picture, result in pictures:
        assert picture.boxes is not None
        own = np.isin(result.detections.classes, ids)
        boxes = result.detections.boxes[own].astype(np.float64)
        scores = result.detections.scores[own].astype(np.float64)
        truth = picture.boxes[np.isin(picture.boxes[:, 0], ids), 1:]
        given.append((boxes, scores))
        expected.append(truth)
        sure = boxes[scores >= confidence]
        answers += len(sure)
        hits += matched_boxes(sure, truth)
    total = sum(len(truth) for truth in expected)
    return {
        "ap50": class_ap50(given, expected),
        "recall": hits / total if total else None,
        "precision": hits / answers if answers else None,
        "true": total,
    }


def matched_boxes(boxes: Floats, truth: Floats) -> int:
    """How many true boxes have a box of their own with an IoU of one half."""
    if not len(boxes) or not len(truth):
        return 0
    overlap, matched = overlaps(boxes, truth), 0
    for row in range(len(boxes)):
        best = int(overlap[row].argmax())
        if overlap[row, best] >= 0.5:
            matched += 1
            overlap[:, best] = -1.0
    return matched


def _recall_by_height(
    pictures: Sequence[tuple[LabelledPicture, FrameResult]], confidence: float
) -> dict[str, dict[str, float | int]]:
    seen: list[tuple[float, bool]] = []
    for picture, result in pictures:
        assert picture.boxes is not None
        truth = picture.boxes[picture.boxes[:, 0] > 0, 1:]
        sure = (result.detections.classes > 0) & (result.detections.scores >= confidence)
        boxes = result.detections.boxes[sure].astype(np.float64)
        best = overlaps(boxes, truth).max(axis=0) if len(boxes) and len(truth) else np.zeros(len(truth))
        heights = (truth[:, 3] - truth[:, 1]) * REFERENCE_WIDTH / picture.image.shape[1]
        seen += [(float(height), bool(value >= 0.5)) for height, value in zip(heights, best, strict=True)]
    limits = [*HEIGHTS, float("inf")]
    found: dict[str, dict[str, float | int]] = {}
    for low, high in zip(limits, limits[1:], strict=False):
        own = [hit for height, hit in seen if low <= height < high]
        if own:
            name = f"{low:g} to {high:g} px" if high < float("inf") else f"{low:g} px and more"
            found[name] = {"recall": sum(own) / len(own), "true": len(own)}
    return found


def _pitch_measures(pictures: Sequence[tuple[LabelledPicture, FrameResult]]) -> dict[str, float | int | None]:
    totals = PitchTotals()
    for picture, result in pictures:
        assert picture.keypoints is not None
        totals.pictures += 1
        if result.keypoints is None:
            continue
        present = ~np.isnan(picture.keypoints).any(axis=1)
        totals.surplus += int(((result.keypoints.scores > 0) & ~present).sum())
        size = PictureSize(picture.image.shape[1], picture.image.shape[0])
        votes = PitchVotes(size)
        votes.add(result.keypoints)
        vertices = votes.leader.vertices_m
        _, homography = locate(result, size, votes.leader)
        if homography is None or not present.any():
            continue
        away = np.linalg.norm(project(homography, vertices[present]) - picture.keypoints[present], axis=1)
        error = float(np.median(away)) * REFERENCE_WIDTH / size.width
        totals.found += 1
        totals.near += error <= NEAR_PX
        totals.errors.append(error)
    count = totals.pictures
    return {
        "pictures": count,
        "share_with_pitch": totals.found / count,
        "median_error_px": float(np.median(totals.errors)) if totals.errors else None,
        "share_within_15_px": totals.near / count,
        "surplus_keypoints": totals.surplus / count,
    }


def draw_result(picture: LabelledPicture, result: FrameResult, confidence: float) -> npt.NDArray[np.uint8]:
    """The picture with labels (white, thin), boxes (red; balls yellow) and keypoints (blue)."""
    image = picture.image.copy()
    for row in picture.boxes if picture.boxes is not None else ():
        x1, y1, x2, y2 = (round(float(value)) for value in row[1:])
        cv2.rectangle(image, (x1, y1), (x2, y2), (255, 255, 255), 1)
    found = result.detections
    for box, score, class_id in zip(found.boxes, found.scores, found.classes, strict=True):
        if score >= confidence:
            x1, y1, x2, y2 = (round(float(value)) for value in box)
            cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 255) if class_id == 0 else (0, 0, 255), 2)
    if result.keypoints is not None:
        for (x, y), score in zip(result.keypoints.points, result.keypoints.scores, strict=True):
            if score > 0:
                cv2.circle(image, (round(float(x)), round(float(y))), 5, (255, 0, 0), -1)
    return np.asarray(image, np.uint8)
