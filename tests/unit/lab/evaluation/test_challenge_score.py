import math
from typing import Any

import pytest

from touchline_lab.evaluation.challenge_score import ChallengeScore, challenge_score, speed_score
from touchline_lab.renderer.clip import FrameTruth, GroundTruth

HOMOGRAPHY = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
KEYPOINTS = [(100.0 + 10 * i, 300.0) if i < 8 else (0.0, 0.0) for i in range(32)]
PLAYER = (2, 100.0, 200.0, 120.0, 250.0)


def truth(frames: int = 4, boxes: tuple[Any, ...] = (PLAYER,)) -> GroundTruth:
    return GroundTruth(1, 25, 1000, 600, [FrameTruth(list(boxes), KEYPOINTS, HOMOGRAPHY)] * frames)


def answer(frames: int = 4, boxes: tuple[Any, ...] = (PLAYER,)) -> list[dict[str, Any]]:
    objects = [{"id": n, "class_id": box[0], "bbox": list(box[1:])} for n, box in enumerate(boxes)]
    return [
        {"frame_number": n, "keypoints": [list(p) for p in KEYPOINTS], "objects": objects}
        for n in range(frames)
    ]


@pytest.mark.parametrize(
    ("seconds", "worth"), [(0.5, 1), (1, 1), (1.1, 0.965), (2, 0.70), (4.1, 0.33), (6.5, 0.14), (15, 0)]
)
def test_the_speed_term_falls_with_the_time(seconds: float, worth: float) -> None:
    assert speed_score(seconds) == pytest.approx(worth, abs=0.005)


def test_a_time_just_below_the_limit_still_scores() -> None:
    assert speed_score(14.999) == pytest.approx(math.exp(-5), rel=0.01)


def test_the_ground_truth_within_a_second_scores_one() -> None:
    score = challenge_score(answer(), truth(), 1.0)
    assert score == ChallengeScore(1.0, 1.0, 1.0)
    assert score.total == pytest.approx(1.0)
    assert ChallengeScore(0.5, 0.25, 0.1).total == pytest.approx(0.65 * 0.375 + 0.035)


def test_speed_scores_nothing_without_enough_right_boxes() -> None:
    wrong = (2, 500.0, 200.0, 520.0, 250.0)
    many = tuple((2, 500.0 + 30 * n, 200.0, 520.0 + 30 * n, 250.0) for n in range(9))
    assert challenge_score(answer(boxes=(wrong,)), truth(), 1.0) == ChallengeScore(0, 1.0, 0)
    # one right of nine false: F1 of 2 / 11, below the gate
    score = challenge_score(answer(boxes=(PLAYER, *many)), truth(), 1.0)
    assert (score.boxes, score.speed) == (pytest.approx(2 / 11), 0.0)


@pytest.mark.parametrize(
    "box",
    [
        (2, 300.0, 200.0, 314.0, 250.0),  # narrow
        (2, 300.0, 200.0, 320.0, 239.0),  # low
        (0, 300.0, 150.0, 310.0, 160.0),  # begins in the top rows
    ],
)
def test_dropped_boxes_neither_score_nor_cost(box: Any) -> None:
    assert challenge_score(answer(boxes=(PLAYER, box)), truth(), 1.0).boxes == 1.0
    assert challenge_score(answer(), truth(boxes=(PLAYER, box)), 1.0).boxes == 1.0


def test_a_small_ball_is_not_dropped() -> None:
    ball = (0, 300.0, 200.0, 306.0, 206.0)
    assert challenge_score(answer(boxes=(PLAYER, ball)), truth(), 1.0).boxes == pytest.approx(2 / 3)


def test_boxes_in_too_few_frames_score_nothing() -> None:
    given = answer(10)
    for frame in given[:3]:
        frame["objects"] = []
    assert challenge_score(given, truth(10), 1.0).boxes == pytest.approx(14 / 17)
    given[3]["objects"] = []
    assert challenge_score(given, truth(10), 1.0).boxes == 0.0


def test_keypoints_score_less_with_their_error() -> None:
    given = answer()
    for frame in given:
        frame["keypoints"] = [[x + 5, y] if x else [0, 0] for x, y in KEYPOINTS]
    assert challenge_score(given, truth(), 1.0).keypoints == pytest.approx(0.75)  # 5 of 20 pixels


def test_absent_and_false_keypoints_count_as_wrong() -> None:
    given = answer()
    for frame in given:
        frame["keypoints"][0] = [0, 0]
        frame["keypoints"][20] = [500, 500]
        frame["keypoints"][21] = [5000, 500]  # out of the picture
    assert challenge_score(given, truth(), 1.0).keypoints == pytest.approx(7 / 9)


def test_cameras_in_too_few_frames_score_nothing() -> None:
    given = answer(10)
    for frame in given[:7]:
        frame["keypoints"] = [[0, 0]] * 32
    assert challenge_score(given, truth(10), 1.0).keypoints == 0.0
    given[6]["keypoints"] = [list(p) for p in KEYPOINTS]
    assert challenge_score(given, truth(10), 1.0).keypoints == pytest.approx(0.4)


def test_frames_that_are_not_numbered_consecutively_score_nothing() -> None:
    assert challenge_score(answer()[::2], truth(), 1.0).total == 0.0
    assert challenge_score([], truth(), 1.0).total == 0.0
