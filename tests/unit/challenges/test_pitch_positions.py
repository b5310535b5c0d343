from __future__ import annotations

import numpy as np

from services.challenges.pitch_positions import pitch_positions
from services.pitch import VERTICES_CM
from services.results import Detections, FrameResult, Keypoints
from services.tracking.camera.homography import PictureSize

SIZE = PictureSize(1280, 720)
SCALE, LEFT, TOP = 10.0, 40.0, 10.0  # a camera right above the pitch: pixels per metre and where it begins


def result(
    index: int, feet: list[tuple[float, float]], ball: tuple[float, float], shift: float = 0.0
) -> FrameResult:
    """What a camera above sees of people and ball in metres; `shift` moves them beside the pitch."""
    points = (VERTICES_CM / 100 * SCALE + (LEFT, TOP)).astype(np.float32)
    boxes, classes = [], []
    for (x, y), half, class_id in [*((foot, 5.0, 2) for foot in feet), (ball, 2.0, 0)]:
        px, py = (x + shift) * SCALE + LEFT, y * SCALE + TOP
        boxes.append([px - half, py - 4 * half, px + half, py])
        classes.append(class_id)
    shown = ((points >= 0) & (points < (1280, 720))).all(axis=1)
    return FrameResult(
        index,
        Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.9, np.float32), np.array(classes)),
        Keypoints(points, shown.astype(np.float32)),
    )


FEET = [(20.0, 30.0), (40.0, 30.0), (60.0, 50.0)]


def test_positions_come_out_in_metres() -> None:
    seen = [(100 + 6 * i, result(6 * i, FEET, (25.0 + i, 31.0))) for i in range(5)]
    play = pitch_positions(seen, SIZE, 25, 6)
    assert [moment.frame for moment in play] == [100, 106, 112, 118, 124]
    for i, moment in enumerate(play):
        assert moment.ball is not None
        assert np.abs(moment.ball - (25.0 + i, 31.0)).max() < 0.2
        assert len(set(moment.ids.tolist())) == 3
        assert np.abs(np.sort(moment.feet, axis=0) - np.sort(FEET, axis=0)).max() < 0.2


def test_a_camera_that_puts_everybody_beside_the_pitch_is_not_believed() -> None:
    far = [(-30.0, 30.0), (-31.0, 40.0), (-33.0, 50.0)]
    seen = [(i, result(i, far, (-30.0, 31.0), shift=28.0)) for i in range(3)]
    assert all(moment.ball is not None for moment in pitch_positions(seen, SIZE, 3, 1))
    seen = [(i, result(i, far, (-30.0, 31.0), shift=26.5)) for i in range(3)]
    assert all(moment.ball is None and not len(moment.ids) for moment in pitch_positions(seen, SIZE, 3, 1))


def test_without_keypoints_nothing_is_known() -> None:
    none = Detections.empty()
    play = pitch_positions([(i, FrameResult(i, none, None)) for i in range(3)], SIZE, 3, 1)
    assert [moment.ball for moment in play] == [None, None, None]
    assert pitch_positions([], SIZE, 0, 1) == []
