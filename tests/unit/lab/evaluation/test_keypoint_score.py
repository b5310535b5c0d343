"""Score's keypoint score: each part on answers whose value can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from services.pitch import TEMPLATE
from services.tracking.camera.homography import PictureSize, visible_keypoints
from tests.unit.tracking.camera.test_homography import make_camera
from touchline_lab.evaluation.keypoint_score import (
    PARTS,
    WEIGHTS,
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


def scored(
    frames: list[dict[str, Any]], segments: np.ndarray | None = None, asked: Iterable[int] | None = None
) -> KeypointScore:
    lines = through(keypoints()) if segments is None else segments
    return keypoint_score(frames, [lines] * len(frames), SIZE, asked)


def test_a_still_camera_with_true_numbers_is_nearly_perfect() -> None:
    score = scored(answer())
    assert score.fit == pytest.approx(1.0, abs=1e-3)
    assert score.lines == pytest.approx(NO_DISTANCE, abs=1e-5)
    assert (score.inside, score.stability, score.plausibility, score.valid) == (1.0, 1.0, 1.0, 1.0)
    assert score.consistency == pytest.approx((1 + 3 * NO_DISTANCE) / 4), "the first of a run counts as 1"
    total = 0.25 * score.fit + 0.4 * score.lines + 0.2 + 0.05 + 0.1
    assert score.final == pytest.approx(total * score.consistency * (score.scale + 1) / 2, abs=1e-9)


def test_without_keypoints_or_lines_there_is_nothing_to_score() -> None:
    assert scored(answer(points=np.zeros((32, 2)))).final == 0.0
    without_lines = scored(answer(), np.zeros((0, 4)))
    assert (without_lines.lines, without_lines.final) == (0.0, 0.0)
    assert without_lines.inside == 1.0, "the other parts are still told"


@pytest.mark.parametrize(("away", "is_zero"), [(0.0396, True), (0.0394, False)])
def test_an_l_that_rounds_to_zero_makes_the_whole_score_zero(away: float, is_zero: bool) -> None:
    # a segment through every keypoint, but this share of the height below it
    score = scored(answer(), through(keypoints()) + (0, away * 720, 0, away * 720))
    assert round(score.lines, 2) == (0.0 if is_zero else 0.01)
    assert (score.final == 0.0) is is_zero


def test_frames_without_a_homography_cost_once_they_are_more_than_three_fifths() -> None:
    empty = [{"frame_number": 10 + n, "keypoints": [[0, 0]] * 32, "objects": []} for n in range(12)]
    assert scored([*answer(4), *empty[:6]]).valid == 1.0
    assert scored([*answer(2), *empty]).valid == pytest.approx(2 / 14 / 0.4)


def test_points_outside_and_points_in_a_heap_are_dropped() -> None:
    points = np.zeros((32, 2))
    points[:5] = [[100, 100], [110, 110], [140, 100], [-5, 50], [1280, 50]]
    assert kept_keypoints(points, SIZE).tolist() == [0, 2]
    assert kept_keypoints(points).tolist() == [0, 2, 3, 4], "those outside count for S"


@pytest.mark.parametrize(("distance", "value"), [(0.02, 0.5), (0.0, NO_DISTANCE), (10.0, 0.0)])
def test_the_logistic_halves_at_a_fiftieth_of_the_picture(distance: float, value: float) -> None:
    assert logistic(distance) == pytest.approx(value, abs=1e-12)


def test_the_distance_is_to_the_nearest_point_of_a_segment() -> None:
    points = np.array([[640.0, 360.0]])
    segment = np.array([[640 + 25.6, 360, 900, 360.0]])  # begins a fiftieth of the width to the right
    assert on_lines(points, segment, SIZE) == pytest.approx(0.5)


def test_people_who_jump_are_implausible_and_cut_the_shot() -> None:
    calm, jumping = scored(answer(6, shift=1.0)), scored(answer(6, shift=40.0))
    assert calm.plausibility == 1.0
    assert jumping.plausibility < 0.9


def test_restless_people_cost_by_half() -> None:
    # five pixels a frame: possible, but not calm
    assert scored(answer(6, shift=5.0)).plausibility == pytest.approx((1.0 + 0.5) / 2)


def moved(shift: float) -> list[list[float]]:
    points = keypoints()
    points[points.any(1)] += (shift, 0)
    return points.tolist()


def test_consistency_is_the_mean_over_the_frames_asked_about() -> None:
    # shifts of 0, 14.69 (a hundredth of the diagonal) and 29.37 pixels (a fiftieth) from frame to frame
    diagonal = float(np.hypot(*SIZE))
    places = np.cumsum([0, 0, diagonal / 100, diagonal / 50])
    frames = [{"frame_number": n, "keypoints": moved(x), "objects": people()} for n, x in enumerate(places)]
    expected = [1.0, *(logistic((after - before) / diagonal) for before, after in pairwise(places))]
    assert expected[-1] == pytest.approx(0.5)
    assert scored(frames).consistency == pytest.approx(np.mean(expected), abs=1e-4)


def test_frames_that_were_asked_about_and_not_answered_cost_consistency_and_validity() -> None:
    frames = answer(10)
    all_of_it, a_quarter = scored(frames), scored(frames, asked=range(40))
    assert (all_of_it.frames, a_quarter.frames) == (10, 40)
    assert a_quarter.consistency == pytest.approx((1 + 9 * NO_DISTANCE + 30 * 0) / 40)
    assert a_quarter.valid == pytest.approx(10 / 40 / 0.4)
    assert a_quarter.fit == all_of_it.fit


def test_each_run_of_consecutive_numbers_begins_anew() -> None:
    frames = [
        {"frame_number": n, "keypoints": moved(20.0 * n), "objects": people()} for n in (0, 1, 6, 7, 12)
    ]
    step = logistic(20 / float(np.hypot(*SIZE)))
    assert scored(frames).consistency == pytest.approx((3 + 2 * step) / 5, abs=1e-4)
    # asked about all, each answered frame but those two follows one that is absent
    assert scored(frames, asked=range(13)).consistency == pytest.approx((1 + 2 * step) / 13, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "second"),
    [
        ({"keypoints": [[0.0, 0.0]] * 32}, 0.0),  # nothing shared
        ({"keypoints": keypoints().tolist()[:31]}, 0.0),  # not 32 of them
        ({"keypoints": []}, 0.0),
        ({}, NO_DISTANCE),
    ],
)
def test_a_frame_that_shares_nothing_with_the_one_before_it_is_inconsistent(
    change: dict[str, Any], second: float
) -> None:
    frames = answer(2)
    frames[1] |= change
    assert scored(frames).consistency == pytest.approx((1 + second) / 2)


def test_two_frames_that_both_say_there_is_nothing_are_consistent() -> None:
    assert scored(answer(4, points=np.zeros((32, 2)))).consistency == 1.0


def test_points_outside_the_picture_count_for_stability_alone() -> None:
    points = keypoints()
    (first, *_) = np.flatnonzero(~points.any(1))  # an absent one
    inside = [points.copy() for _ in range(2)]
    outside = [points.copy() for _ in range(2)]
    outside[0][first], outside[1][first] = (-100, -100), (-400, -100)
    still, moving = (
        scored([{"frame_number": n, "keypoints": p.tolist(), "objects": people()} for n, p in enumerate(two)])
        for two in (inside, outside)
    )
    assert (still.stability, still.consistency) == (1.0, moving.consistency)
    assert moving.stability < 0.9
    assert moving.fit == still.fit


def test_frames_of_a_shot_are_compared_in_the_order_of_their_numbers_as_text() -> None:
    # 10, 11, 9: the frames with the changed picture, 9 and 11, are neighbours in this order alone
    points, other = keypoints(), keypoints() * 0.9
    frames = [
        {"frame_number": n, "keypoints": p.tolist(), "objects": people()}
        for n, p in ((9, other), (10, points), (11, other))
    ]
    shared = np.intersect1d(kept_keypoints(points), kept_keypoints(other))
    first, second = np.triu_indices(len(shared), 1)
    before, after = (np.linalg.norm(p[shared][first] - p[shared][second], axis=1) for p in (points, other))
    change = float((np.abs(before - after) / (before + 1e-6)).mean())
    assert scored(frames).stability == pytest.approx(np.exp(-10 * (change + 0.0) / 2), rel=1e-3)


@pytest.mark.parametrize(
    ("box", "counts"),
    [
        ([100.0, 100.0, 150.0, 170.0], False),  # at the score board
        ([-60.0, 100.0, -20.0, 170.0], True),  # to the left of the picture
        ([1285.0, 100.0, 1330.0, 170.0], True),  # to the right of it
        ([100.0, -80.0, 150.0, -10.0], True),  # above it
        ([1240.0, 100.0, 1280.0, 170.0], False),
    ],
)
def test_a_box_at_the_score_board_counts_if_it_lies_outside_the_picture(
    box: list[float], counts: bool
) -> None:
    frames = answer(2)
    for frame in frames:
        frame["objects"] = [{"id": 9, "class_id": 2, "bbox": box}] * 2 + people()[:1]
    # one person on the pitch, and the other two, off it, if they count
    assert scored(frames).inside == (pytest.approx(1 / 3) if counts else 1.0)


def test_of_players_with_one_id_each_is_compared_with_the_last_of_the_frame_before() -> None:
    frames = answer(2)
    for frame in frames:
        frame["objects"] = [{**one, "id": 0} for one in people()]
    # two of the three seem to jump; over the whole clip all movements are far or none, which counts fully
    assert scored(frames).plausibility == pytest.approx(((1 - 2 / 3) + 1.0) / 2)


def test_a_cut_needs_half_of_the_players_not_of_their_ids() -> None:
    # five with one id, of which two seem to jump in each frame: 2 of 5 are no cut
    crowd = [
        {"id": 0, "class_id": 2, "bbox": [x, 300.0, x + 20, 350.0]} for x in (200, 300, 1000, 1001, 1002)
    ]
    frames = [{**frame, "objects": crowd} for frame in answer(3)]
    # with a cut after the second frame, the third would be a shot without movements
    assert scored(frames).plausibility == pytest.approx(((1 - 2 / 5) + 1.0) / 2)


@pytest.mark.parametrize(("width", "counts"), [(14.996, True), (14.994, False)])
def test_a_box_is_measured_after_rounding(width: float, counts: bool) -> None:
    frames = answer(2)
    for frame in frames:
        frame["objects"] = [{"id": 1, "class_id": 2, "bbox": [600.0, 300.0, 600.0 + width, 350.0]}]
    assert scored(frames).inside == float(counts)


def test_coordinates_are_rounded_to_two_decimals_first() -> None:
    exact, rounded = answer(2), answer(2)
    for fine, coarse in zip(exact, rounded, strict=True):
        for one in (*fine["objects"], *coarse["objects"]):
            one["bbox"] = [value + 0.004 for value in one["bbox"]]
        fine["keypoints"] = [[x + 0.004 if x else 0.0, y] for x, y in np.round(fine["keypoints"], 2).tolist()]
        coarse["keypoints"] = np.round(coarse["keypoints"], 2).tolist()
        coarse["objects"] = people()
    assert scored(exact).to_dict() == scored(rounded).to_dict()


ODD_AND_READ = {
    "no objects": lambda frame: frame.pop("objects"),
    "objects are null": lambda frame: frame.update(objects=None),
    "an object without a class": lambda frame: frame["objects"][0].pop("class_id"),
    "an object without a box where there is no homography": lambda frame: frame.update(
        keypoints=[], objects=[{"id": 1, "class_id": 3}]
    ),
    "a referee without an id": lambda frame: frame["objects"].append(
        {"class_id": 3, "bbox": [300.0, 300.0, 330.0, 360.0]}
    ),
    "31 keypoints": lambda frame: frame["keypoints"].pop(),
    "a 33rd keypoint that is absent": lambda frame: frame["keypoints"].append([0.0, 0.0]),
    "no keypoints": lambda frame: frame.update(keypoints=[]),
    "a number as text": lambda frame: frame.update(frame_number=str(frame["frame_number"])),
    "coordinates as text": lambda frame: frame["keypoints"].__setitem__(0, ["0.0", "0"]),
}
ODD_AND_ZERO = {
    "keypoints are missing": lambda frame: frame.pop("keypoints"),
    "keypoints are null": lambda frame: frame.update(keypoints=None),
    "a 33rd keypoint in the picture": lambda frame: frame["keypoints"].append([640.0, 700.0]),
    "a keypoint of one number": lambda frame: frame["keypoints"].__setitem__(3, [5.0]),
    "keypoints of text": lambda frame: frame["keypoints"].__setitem__(3, ["x", 5.0]),
    "a player without an id": lambda frame: frame["objects"][0].pop("id"),
    "a player with a list for an id": lambda frame: frame["objects"][0].update(id=[]),
    "an object without a box": lambda frame: frame["objects"][0].pop("bbox"),
    "a box of three numbers": lambda frame: frame["objects"][0].update(bbox=[1.0, 2.0, 3.0]),
    "an object that is a number": lambda frame: frame["objects"].append(3),
    "no number": lambda frame: frame.pop("frame_number"),
    "a number that is none": lambda frame: frame.update(frame_number=1.5),
    "a number with a zero before it": lambda frame: frame.update(frame_number="02"),
}


@pytest.mark.parametrize("change", ODD_AND_READ.values(), ids=ODD_AND_READ)
def test_an_odd_frame_that_the_scorer_reads_is_scored(change: Callable[[dict[str, Any]], Any]) -> None:
    frames = answer(4)
    change(frames[2])
    score = keypoint_score(frames, dict.fromkeys(range(4), through(keypoints())), SIZE, range(4))
    assert score.reason == ""
    assert score.final > 0.4


@pytest.mark.parametrize("change", ODD_AND_ZERO.values(), ids=ODD_AND_ZERO)
def test_an_odd_frame_that_the_scorer_cannot_read_costs_the_whole_score(
    change: Callable[[dict[str, Any]], Any],
) -> None:
    frames = answer(4)
    change(frames[2])
    score = keypoint_score(frames, dict.fromkeys(range(4), through(keypoints())), SIZE, range(4))
    assert score.final == 0.0
    assert score.reason
    assert score.frames == 4


def test_a_score_that_is_not_a_number_counts_as_nothing() -> None:
    frames = answer(2)
    # their distance is the difference of two infinities
    frames[0]["objects"] += [{"id": 7, "class_id": 0, "bbox": [0.0, 300.0, float("inf"), 400.0]}] * 2
    score = scored(frames)
    assert (score.final, score.reason) == (0.0, "a part of the score is not a number")


@pytest.mark.parametrize("frames", [None, {}, "x", [None], [[]], [3]])
def test_an_answer_without_frames_scores_nothing(frames: Any) -> None:
    assert keypoint_score(frames, {}, SIZE, range(4)).final == 0.0
    assert keypoint_score(frames, {}, SIZE).final == 0.0


def test_the_order_of_the_frames_does_not_count_and_the_later_of_two_with_one_number_does() -> None:
    # 8 px a frame are restless, 16 px and more would count fully
    frames = answer(4, shift=8.0)
    empty = {"frame_number": 2, "keypoints": [], "objects": []}
    expected = scored(frames).to_dict()
    assert scored(frames[::-1]).to_dict() == expected
    assert scored([frames[number] for number in (2, 0, 3, 1)]).to_dict() == expected
    assert scored([empty, *frames]).to_dict() == expected
    assert scored([*frames, empty]).final < expected["final"]


def test_parts_of_random_answers_stay_within_their_limits_whatever_is_asked() -> None:
    chance = np.random.default_rng(8)
    for _ in range(30):
        numbers = chance.choice(40, chance.integers(1, 8), replace=False)
        frames = [
            {
                "frame_number": int(number),
                "keypoints": (keypoints() + chance.normal(0, 4, (32, 2)) * (keypoints() != 0)).tolist(),
                "objects": people(float(chance.normal(0, 30))),
            }
            for number in numbers
        ]
        score = scored(frames, asked=range(40))
        values = score.to_dict()
        assert all(0.0 <= values[name] <= 1.0 for name in ("final", *PARTS)), values
        weighed = sum(weight * values[name] for name, weight in WEIGHTS.items())
        whole = weighed * score.consistency * (score.scale + score.valid) / 2
        assert score.final == pytest.approx(whole if round(score.lines, 2) > 0 else 0.0)
        # an unanswered frame more never helps
        assert scored(frames, asked=range(41)).final <= score.final


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
