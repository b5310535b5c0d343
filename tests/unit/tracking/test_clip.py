from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.results import Detections, FrameResult, Keypoints
from services.tracking.ball.selection import BallSelection
from services.tracking.camera.homography import Matrix, PictureSize, project
from services.tracking.clip import fill_clip
from services.tracking.interpolation.fill import FilledClip
from services.tracking.people.association import PeopleTracker
from services.tracking.track import Track
from tests.unit.tracking.camera.test_homography import make_camera, seen

SIZE = PictureSize(1280, 720)
FPS = 25.0


def track_ball(results: Sequence[FrameResult], track_id: int, width: int, stride: int) -> Track | None:
    selection = BallSelection(width, stride)
    for result in results:
        selection.add(result)
    return selection.track(track_id)


def box_at(camera: Matrix, metres: tuple[float, float], height: float = 80) -> list[float]:
    x, y = project(camera, np.array([metres]))[0]
    return [x - 12, y - height, x + 12, y]


def result(
    index: int,
    boxes: list[list[float]],
    classes: list[int],
    keypoints: Keypoints | None = None,
    score: float = 0.9,
) -> FrameResult:
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.array(classes, np.int64),
    )
    return FrameResult(index, found, keypoints)


def crossing(stride: int) -> tuple[list[FrameResult], list[Matrix | None]]:
    """Two players run past each other at 6 m/s, 2 m apart in depth, while the camera pans."""
    results, fits = [], []
    for index in range(0, 75, stride):
        camera = make_camera(pan=55 + index * 0.1)
        t = index / FPS
        boxes = [box_at(camera, (50 + 6 * t, 34)), box_at(camera, (68 - 6 * t, 36))]
        order = [0, 1] if index % 2 == 0 else [1, 0]
        results.append(result(index, [boxes[i] for i in order], [2, 2], seen(camera)))
        fits.append(camera)
    return results, fits


def track_people(results: list[FrameResult], fits: list[Matrix | None], stride: int) -> list[Track]:
    people = PeopleTracker(stride)
    for result, fit in zip(results, fits, strict=True):
        people.add(result, fit)
    return people.tracks


@pytest.mark.parametrize("stride", [1, 3, 6, 10])
def test_ids_survive_a_crossing_under_a_panning_camera(stride: int) -> None:
    results, fits = crossing(stride)
    tracks = track_people(results, fits, stride)
    assert len(tracks) == 2
    assert [len(t.frames) for t in tracks] == [len(results)] * 2
    directions = []
    for track in tracks:
        ground = [
            project(np.linalg.inv(make_camera(pan=55 + f * 0.1)), np.array([[(b[0] + b[2]) / 2, b[3]]]))[0, 0]
            for f, b in zip(track.frames, track.boxes, strict=True)
        ]
        directions.append(np.sign(np.diff(ground)).tolist())
    assert sorted(len(set(d)) for d in directions) == [1, 1], "a track turned round: the ids were swapped"


def test_a_gap_is_bridged_and_a_long_one_is_not() -> None:
    camera = make_camera()
    box = box_at(camera, (60, 35))
    results = [
        result(i * 6, [box] if i < 3 or i >= 5 else [], [2] if i < 3 or i >= 5 else []) for i in range(10)
    ]
    assert len(track_people(results, [camera] * 10, 6)) == 1
    results = [
        result(i * 6, [box] if i < 2 or i >= 9 else [], [2] if i < 2 or i >= 9 else []) for i in range(12)
    ]
    assert len(track_people(results, [camera] * 12, 6)) == 2


def test_class_is_voted_over_the_track() -> None:
    camera = make_camera()
    results = [result(i * 6, [box_at(camera, (60, 35))], [3 if i == 2 else 1]) for i in range(6)]
    tracks = track_people(results, [camera] * 6, 6)
    assert [t.class_id for t in tracks] == [1]


def test_tracking_without_a_camera() -> None:
    results = [
        result(i * 6, [[100 + i * 10, 200, 130 + i * 10, 280], [600, 300, 630, 380]], [2, 2])
        for i in range(5)
    ]
    tracks = track_people(results, [None] * 5, 6)
    assert [len(t.frames) for t in tracks] == [5, 5]


def test_one_ball_and_outliers_are_left_out() -> None:
    results = []
    for i in range(8):
        boxes = [[100 + 20 * i, 300, 110 + 20 * i, 310]]
        if i == 4:
            boxes = [[1200, 20, 1210, 30]]  # a white shirt in the crowd
        results.append(result(i * 6, boxes, [0]))
    track = track_ball(results, 9, 1280, 6)
    assert track is not None
    assert track.id == 9
    assert track.frames == [0, 6, 12, 18, 30, 36, 42]
    assert track_ball([result(0, [], [])], 1, 1280, 6) is None


def fill(results: list[FrameResult], count: int, stride: int, tracking: bool = True) -> FilledClip:
    return fill_clip(results, count, SIZE, stride=stride, tracking=tracking)


def test_every_frame_is_filled_where_the_truth_is() -> None:
    stride, count = 6, 73
    results, _ = crossing(stride)
    filled = fill(results, count, stride)
    assert filled.keypoints.shape == (count, 32, 2)
    assert filled.fitted == len(results)
    assert np.bincount(filled.frame, minlength=count).tolist() == [2] * count
    for frame in range(72):
        camera = make_camera(pan=55 + frame * 0.1)
        t = frame / FPS
        expected = np.array([box_at(camera, (50 + 6 * t, 34)), box_at(camera, (68 - 6 * t, 36))])
        found = filled.boxes[filled.frame == frame]
        distance = np.abs(found[:, None] - expected[None]).max(2)
        assert distance.min(0).max() < 3.0
        truth = seen(camera)
        there = (truth.scores > 0) & (filled.keypoints[frame] != 0).any(1)
        assert there.sum() >= 6
        assert np.abs(filled.keypoints[frame][there] - truth.points[there]).max() < 3.0


@pytest.mark.parametrize("samples", [[0, 40, 75, 120], [0, 5, 14, 18, 23, 31, 36, 61, 66, 74, 120]])
def test_samples_need_not_be_where_the_stride_says(samples: list[int]) -> None:
    def walking(frame: int) -> list[list[float]]:
        camera, t = make_camera(pan=55 + frame * 0.1), frame / FPS
        return [box_at(camera, (50 + 1.2 * t, 34)), box_at(camera, (70 - t, 38))]

    results = [result(i, walking(i), [2, 3], seen(make_camera(pan=55 + i * 0.1))) for i in samples]
    filled = fill(results, 121, 6)
    assert np.bincount(filled.frame, minlength=121).tolist() == [2] * 121
    assert set(filled.ids.tolist()) == {1, 2}
    for frame in range(121):
        found = filled.boxes[filled.frame == frame]
        assert np.abs(found[:, None] - np.array(walking(frame))).max(2).min(0).max() < 2.5


def test_ids_are_constant_and_frames_rise() -> None:
    results, _ = crossing(6)
    filled = fill(results, 73, 6)
    assert sorted(set(filled.ids.tolist())) == [1, 2]
    assert (np.diff(filled.frame) >= 0).all()
    assert set(filled.classes.tolist()) == {2}


def test_boxes_stay_in_the_picture() -> None:
    results = [result(i * 6, [[-30 + 5 * i, 600, 20 + 5 * i, 790]], [2]) for i in range(3)]
    filled = fill(results, 13, 6)
    assert (filled.boxes >= 0).all()
    assert (filled.boxes <= [1280, 720, 1280, 720]).all()


def test_keypoints_that_no_camera_explains_are_not_answered() -> None:
    points = np.zeros((32, 2), np.float32)
    points[5] = 100, 200
    scores = np.zeros(32, np.float32)
    scores[5] = 0.9
    results = [result(0, [], [], Keypoints(points, scores)), result(6, [], [], None)]
    filled = fill(results, 8, 6)
    assert not filled.keypoints.any()


def test_without_tracking_every_box_is_its_own() -> None:
    results, _ = crossing(6)
    filled = fill(results, 73, 6, tracking=False)
    assert len(set(filled.ids.tolist())) == 2 * len(results)
    assert set(np.unique(filled.frame)) == set(range(73))


def test_empty_clip_is_still_answered_for_every_frame() -> None:
    filled = fill([result(0, [], []), result(6, [], [])], 10, 6)
    assert filled.keypoints.shape == (10, 32, 2)
    assert len(filled.boxes) == 0


def test_a_track_that_goes_on_with_someone_else_takes_his_class() -> None:
    track = Track(1)
    for sample in range(40):
        label = 3 if sample < 20 else 2
        if sample in (5, 30):
            label = 5 - label  # seen wrongly once: its neighbours know better
        track.observe(sample * 6, np.zeros(4, np.float32), label, 0.8)
    assert track.classes.tolist() == [3] * 20 + [2] * 20
    assert track.class_id == 2
