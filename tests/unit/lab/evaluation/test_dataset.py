"""Measures on labelled pictures, with results that are known to be right or wrong in one way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from services.pitch import STANDARD
from services.results import Detections, FrameResult, Keypoints
from services.tracking.camera.homography import PictureSize, visible_keypoints
from tests.unit.tracking.camera.test_homography import make_camera
from touchline_lab.evaluation.dataset import (
    LabelledPicture,
    draw_result,
    evaluate_ball,
    evaluate_dataset,
    read_dataset,
)

IMAGE = np.zeros((720, 1280, 3), np.uint8)
SIZE = PictureSize(1280, 720)
PEOPLE = np.array([[2, 100, 100, 120, 150], [2, 300, 100, 320, 190], [3, 500, 100, 520, 150]], float)
BALL = np.array([[0, 600, 400, 608, 408]], float)


def result(rows: list[tuple[float, ...]], keypoints: Keypoints | None = None) -> FrameResult:
    """Rows of class, x1, y1, x2, y2, score."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    found = Detections(table[:, 1:5], table[:, 5], table[:, 0].astype(np.int64))
    return FrameResult(0, found, keypoints)


def labelled(boxes: np.ndarray | None, keypoints: np.ndarray | None = None) -> LabelledPicture:
    return LabelledPicture("one", IMAGE, boxes, keypoints)


def test_what_is_found_exactly_is_perfect() -> None:
    boxes = np.concatenate([PEOPLE, BALL])
    found = evaluate_dataset([(labelled(boxes), result([(*row, 0.9) for row in boxes.tolist()]))], 0.35)
    for name in ("ball", "player", "referee", "people"):
        measures = found["boxes"][name]
        assert (measures["ap50"], measures["recall"], measures["precision"]) == (1.0, 1.0, 1.0)
    assert found["boxes"]["goalkeeper"]["ap50"] is None, "there is none to be found"
    assert found["boxes"]["people"]["true"] == 3
    assert {row["recall"] for row in found["recall_by_height"].values()} == {1.0}


def test_a_wrong_class_is_still_a_person() -> None:
    rows = [(3, *PEOPLE[0, 1:], 0.9), (2, *PEOPLE[1, 1:], 0.9), (2, *PEOPLE[2, 1:], 0.9)]
    boxes = evaluate_dataset([(labelled(PEOPLE), result(rows))], 0.35)["boxes"]
    assert boxes["people"]["recall"] == 1.0
    assert boxes["referee"]["recall"] == 0.0
    assert boxes["player"] == {
        "ap50": pytest.approx(0.5, abs=0.02),
        "recall": 0.5,
        "precision": 0.5,
        "true": 2,
    }


def test_unsure_boxes_count_for_average_precision_only() -> None:
    rows = [(2, *row[1:], 0.1) for row in PEOPLE[:2].tolist()]
    boxes = evaluate_dataset([(labelled(PEOPLE[:2]), result(rows))], 0.35)["boxes"]
    assert boxes["player"]["ap50"] == 1.0
    assert boxes["player"]["recall"] == 0.0
    assert boxes["player"]["precision"] is None


def test_people_are_counted_by_their_height_at_1280() -> None:
    rows = [(2, *PEOPLE[1, 1:], 0.9)]
    heights = evaluate_dataset([(labelled(PEOPLE), result(rows))], 0.35)["recall_by_height"]
    assert heights == {
        "40 to 80 px": {"recall": 0.0, "true": 2},
        "80 px and more": {"recall": 1.0, "true": 1},
    }


def test_an_answer_has_one_ball() -> None:
    rows = [(0, *BALL[0, 1:], 0.6), (0, 10, 10, 18, 18, 0.9)]
    ball = evaluate_ball([(labelled(BALL), result(rows))], 0.35)
    assert ball is not None
    assert (ball["recall"], ball["precision"]) == (0.0, 0.0), "the surer one is the wrong one"
    assert evaluate_ball([(labelled(None), result(rows))], 0.35) is None


def test_a_pitch_that_was_found_is_measured_in_pixels() -> None:
    points = visible_keypoints(make_camera(20.0)[None], SIZE, STANDARD)[0]
    there = (points != 0).any(1)
    truth = np.where(there[:, None], points, np.nan)
    given = Keypoints(points.astype(np.float32), there.astype(np.float32))
    found = evaluate_dataset([(labelled(None, truth), result([], given))], 0.35)
    assert "boxes" not in found
    assert found["pitch"]["share_within_15_px"] == 1.0
    assert found["pitch"]["median_error_px"] < 0.1
    assert found["pitch"]["surplus_keypoints"] == 0.0


def test_keypoints_where_none_is_labelled_are_surplus() -> None:
    points = visible_keypoints(make_camera(20.0)[None], SIZE, STANDARD)[0]
    there = (points != 0).any(1)
    truth = np.where(there[:, None], points, np.nan)
    truth[np.flatnonzero(there)[0]] = np.nan
    given = Keypoints(points.astype(np.float32), there.astype(np.float32))
    missed = result([], Keypoints(np.zeros((32, 2), np.float32), np.zeros(32, np.float32)))
    pitch = evaluate_dataset(
        [(labelled(None, truth), result([], given)), (labelled(None, truth), missed)], 0.35
    )["pitch"]
    assert pitch["surplus_keypoints"] == 0.5
    assert pitch["share_with_pitch"] == 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels", "pitch_labels"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((100, 100, 3), np.uint8))
    return tmp_path


def test_boxes_and_pitches_are_read_in_source_pixels(folder: Path) -> None:
    (folder / "labels" / "a.txt").write_text("2 0.5 0.5 0.2 0.4\n")
    values = ["0.25", "0.5", "2"] + ["0", "0", "0"] * 31
    (folder / "pitch_labels" / "a.txt").write_text("0 0.5 0.5 1 1 " + " ".join(values))
    (picture,) = read_dataset(folder, aspect=2.0)
    assert picture.image.shape == (100, 200, 3)
    assert picture.boxes is not None
    np.testing.assert_allclose(picture.boxes, [[2, 80, 30, 120, 70]])
    assert picture.keypoints is not None
    assert picture.keypoints[0].tolist() == [50, 50]
    assert np.isnan(picture.keypoints[1:]).all()


def test_a_row_of_another_length_is_named(folder: Path) -> None:
    (folder / "labels" / "a.txt").write_text("2 0.5 0.5\n")
    with pytest.raises(ValueError, match=r"a\.txt: a row has 5 values"):
        list(read_dataset(folder))


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no JPEG or PNG pictures"):
        list(read_dataset(tmp_path))


def test_pictures_are_chosen_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("aa1", "ab2", "b3"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    assert [one.name for one in read_dataset(tmp_path, beginnings=("ab", "b"))] == ["ab2", "b3"]
    with pytest.raises(ValueError, match="no picture of .* begins with c"):
        list(read_dataset(tmp_path, beginnings=("c",)))


def test_what_was_found_is_drawn() -> None:
    drawn = draw_result(labelled(PEOPLE), result([(0, *BALL[0, 1:], 0.9), (2, *PEOPLE[0, 1:], 0.1)]), 0.35)
    assert drawn[400, 604].tolist() == [0, 255, 255]
    assert drawn[100, 110].tolist() == [255, 255, 255], "the label; the box is too unsure to be drawn"
