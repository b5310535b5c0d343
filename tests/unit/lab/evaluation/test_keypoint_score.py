"""Score's keypoint score: each part on answers whose value can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.pitch import TEMPLATE
from services.tracking.camera.homography import PictureSize, visible_keypoints
from tests.unit.tracking.camera.test_homography import make_camera
from touchline_lab.evaluation.keypoint_score import (
    KeypointScore,
    kept_keypoints,
    keypoint_score,
    logistic,
    on_lines,
)
from touchline_lab.evaluation.painted_lines import painted_lines

SIZE = (1280, 720)
NO_DISTANCE = 1 / (1 + np.exp(-0.02 / 0.0037))
"""What the logistic gives for a distance of zero: not quite one."""


def keypoints(pan: float = 60.0) -> np.ndarray:
    return visible_keypoints(make_camera(pan)[None], PictureSize(*SIZE), TEMPLATE)[0]


def people(shift: float = 0.0) -> list[dict[str, Any]]:
    return [
        {"id": n, "class_id": 2, "bbox": [x + shift, 300.0, x + 20 + shift, 350.0]}
        for n, x in enumerate((200, 640, 1000))
    ]


def answer(count: int = 4, points: np.ndarray | None = None, shift: float = 0.0) -> list[dict[str, Any]]:
    own = keypoints() if points is None else points
    return [
        {"frame_number": n, "keypoints": own.tolist(), "objects": people(n * shift)} for n in range(count)
    ]


def through(points: np.ndarray) -> np.ndarray:
    """A short segment through every keypoint."""
    there = points[(points != 0).any(1)]
    return np.concatenate([there - (5, 0), there + (5, 0)], axis=1)


def scored(frames: list[dict[str, Any]], segments: np.ndarray | None = None) -> KeypointScore:
    lines = through(keypoints()) if segments is None else segments
    return keypoint_score(frames, [lines] * len(frames), SIZE)


def test_a_still_camera_with_true_numbers_is_nearly_perfect() -> None:
    score = scored(answer())
    assert score.fit == pytest.approx(1.0, abs=1e-3)
    assert score.lines == pytest.approx(NO_DISTANCE)
    assert (score.inside, score.stability, score.plausibility, score.valid) == (1.0, 1.0, 1.0, 1.0)
    assert score.consistency == pytest.approx(NO_DISTANCE)
    total = 0.25 * score.fit + 0.4 * NO_DISTANCE + 0.2 + 0.05 + 0.1
    assert score.final == pytest.approx(total * NO_DISTANCE * (score.scale + 1) / 2, abs=1e-9)


def test_without_keypoints_or_lines_there_is_nothing_to_score() -> None:
    assert scored(answer(points=np.zeros((32, 2)))).final == 0.0
    assert scored(answer(), np.zeros((0, 4))).lines == 0.0


def test_frames_without_a_homography_cost_once_they_are_more_than_three_fifths() -> None:
    empty = [{"frame_number": 10 + n, "keypoints": [[0, 0]] * 32, "objects": []} for n in range(6)]
    assert scored([*answer(4), *empty]).valid == 1.0
    assert scored([*answer(2), *empty, *empty]).valid == pytest.approx(2 / 14 / 0.4)


def test_points_outside_and_points_in_a_heap_are_dropped() -> None:
    points = np.zeros((32, 2))
    points[:5] = [[100, 100], [110, 110], [140, 100], [-5, 50], [1280, 50]]
    kept = kept_keypoints(points.tolist(), SIZE)
    assert np.flatnonzero(~np.isnan(kept).any(1)).tolist() == [0, 2]


@pytest.mark.parametrize(("distance", "value"), [(0.02, 0.5), (0.0, NO_DISTANCE), (10.0, 0.0)])
def test_the_logistic_halves_at_a_fiftieth_of_the_picture(distance: float, value: float) -> None:
    assert logistic(distance) == pytest.approx(value, abs=1e-12)


def test_the_distance_is_to_the_nearest_point_of_a_segment() -> None:
    points = np.full((32, 2), np.nan)
    points[0] = 640, 360
    segment = np.array([[640 + 25.6, 360, 900, 360.0]])  # begins a fiftieth of the width to the right
    assert on_lines(points, segment, SIZE) == pytest.approx(0.5)


def test_people_who_jump_are_implausible_and_cut_the_shot() -> None:
    calm, jumping = scored(answer(6, shift=1.0)), scored(answer(6, shift=40.0))
    assert calm.plausibility == 1.0
    assert jumping.plausibility < 0.9


def test_restless_people_cost_by_half() -> None:
    # five pixels a frame: possible, but not calm
    assert scored(answer(6, shift=5.0)).plausibility == pytest.approx((1.0 + 0.5) / 2)


def test_keypoints_that_move_cost_consistency() -> None:
    frames = [
        {"frame_number": n, "keypoints": keypoints(60.0 + n).tolist(), "objects": people()} for n in range(4)
    ]
    assert scored(frames).consistency < 0.9
    assert scored(frames).stability < 1.0


def test_small_boxes_and_those_behind_the_score_board_do_not_count() -> None:
    frames = answer(2)
    for frame in frames:
        frame["objects"] = [
            {"id": 1, "class_id": 2, "bbox": [600, 300, 610, 350]},
            {"id": 2, "class_id": 2, "bbox": [600, 100, 640, 200]},
        ]
    assert scored(frames).inside == 0.0


def test_a_line_on_grass_is_found_and_one_elsewhere_is_not() -> None:
    # paint on grass still has some of its colour, and pixels without any do not count as grass
    picture = np.full((360, 640, 3), (50, 130, 50), np.uint8)
    picture[:80] = 90  # stands
    picture[200:204, 100:500] = (130, 220, 130)
    picture[40:44, 100:500] = 240
    found = painted_lines(picture)
    assert len(found)
    assert (np.abs(found[:, [1, 3]] - 202) < 6).all()
