import json
from typing import Any

import numpy as np
import pytest

from services.pitch import BALL, GOALKEEPER, PLAYER, REFEREE
from touchline_lab.evaluation.scoring import BoxScore, overlaps, score_answer
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

IDENTITY = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
BOXES = [
    (PLAYER, 10.0, 10.0, 30.0, 60.0),
    (PLAYER, 50.0, 10.0, 70.0, 60.0),
    (GOALKEEPER, 90.0, 10.0, 110.0, 60.0),
    (REFEREE, 130.0, 10.0, 150.0, 60.0),
    (BALL, 5.0, 5.0, 9.0, 9.0),
]
KEYPOINTS = [(100.0 + 10 * index, 50.0) if index < 6 else (0.0, 0.0) for index in range(32)]


def truth(frames: int = 1) -> GroundTruth:
    frame = FrameTruth(boxes=list(BOXES), keypoints=list(KEYPOINTS), homography=IDENTITY)
    return GroundTruth(seed=0, fps=25, width=1280, height=720, frames=[frame] * frames)


def answer(number: int = 0) -> dict[str, Any]:
    objects = [{"id": index, "bbox": list(box[1:]), "class_id": box[0]} for index, box in enumerate(BOXES)]
    return {"frame_number": number, "keypoints": [list(place) for place in KEYPOINTS], "objects": objects}


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], dtype=float)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], dtype=float)
    np.testing.assert_allclose(overlaps(boxes, others), [[1, 1 / 3], [0, 0]])


def test_the_truth_scores_full_marks() -> None:
    score = score_answer([answer(0), answer(1)], truth(2))
    assert all(part.recall == part.precision == 1 for part in score.objects.values())
    assert score.objects["people"].expected == 8
    assert (score.keypoints.median_error, score.keypoints.recall, score.keypoints.false_share) == (0, 1, 0)
    assert (score.answered, score.located) == (1, 1)


def test_an_empty_answer_finds_nothing_and_claims_nothing() -> None:
    score = score_answer([], truth())
    assert score.objects["people"] == BoxScore(matched=0, expected=4, given=0)
    assert score.objects["people"].recall == 0
    assert score.keypoints.median_error == float("inf")
    assert (score.answered, score.located, score.keypoints.recall) == (0, 0, 0)


def test_the_wrong_class_is_a_miss_and_a_false_alarm() -> None:
    given = answer()
    given["objects"][2]["class_id"] = PLAYER
    score = score_answer([given], truth())
    assert score.objects["goalkeeper"] == BoxScore(matched=0, expected=1, given=0)
    assert score.objects["player"] == BoxScore(matched=2, expected=2, given=3)


def test_two_boxes_on_one_player_count_once() -> None:
    given = answer()
    given["objects"].append(dict(given["objects"][0], id=9))
    assert score_answer([given], truth()).objects["player"] == BoxScore(matched=2, expected=2, given=3)


def test_a_box_that_is_too_far_off_is_a_miss() -> None:
    given = answer()
    given["objects"][0]["bbox"] = [18, 10, 38, 60]  # overlap 12 / 28
    assert score_answer([given], truth()).objects["player"].matched == 1


def test_keypoint_errors_are_distances_in_pixels() -> None:
    given = answer()
    given["keypoints"] = [[x + 3, y + 4] if x else [0, 0] for x, y in KEYPOINTS]
    keypoints = score_answer([given], truth()).keypoints
    assert keypoints.median_error == pytest.approx(5)
    assert keypoints.error_90 == pytest.approx(5)


def test_missing_and_invented_keypoints() -> None:
    given = answer()
    given["keypoints"][0] = [0, 0]
    given["keypoints"][10] = [500, 500]
    given["keypoints"][11] = [5000, 500]  # out of the picture, where nothing is known
    keypoints = score_answer([given], truth()).keypoints
    assert keypoints.recall == pytest.approx(5 / 6)
    assert keypoints.false_share == pytest.approx(1 / 6)


def test_a_frame_with_another_number_of_keypoints_has_none() -> None:
    given = answer()
    given["keypoints"] = given["keypoints"][:31]
    assert score_answer([given], truth()).keypoints.recall == 0


def test_frames_the_clip_does_not_have_are_ignored() -> None:
    score = score_answer([answer(0), answer(7)], truth(2))
    assert score.answered == 0.5
    assert score.objects["player"] == BoxScore(matched=2, expected=4, given=2)


def test_the_score_is_json_data() -> None:
    data = score_answer([], truth()).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["keypoints"]["median_error"] is None
    assert data["objects"]["ball"]["recall"] == 0
