"""Balls beside the pitch: their confidence, with and without a pitch in the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from services.pitch import STANDARD, TEMPLATE, PitchGeometry
from services.results import Detections, FrameResult, Keypoints
from services.tracking.ball.pitch_prior import OUTSIDE_FACTOR, PitchPrior
from services.tracking.camera.homography import PictureSize, project, visible_keypoints

SIZE = PictureSize(1280, 720)
CAMERA = np.array([[9.0, -2.0, 260.0], [0.0, 3.0, 140.0], [0.0, -0.004, 1.0]])
"""Of a camera behind the near touchline, from metres to pixels."""
HIGH_HORIZON = np.array([[9.0, -2.0, 260.0], [0.0, 1.0, 240.0], [0.0, -0.004, 1.0]])
"""Of one that looks less steeply down."""


def keypoints(pitch: PitchGeometry, camera: npt.NDArray[np.float64] = CAMERA) -> Keypoints:
    points = visible_keypoints(camera[None], SIZE, pitch)[0]
    return Keypoints(points.astype(np.float32), (points != 0).any(axis=1).astype(np.float32))


def ball_at(x_m: float, y_m: float, score: float) -> npt.NDArray[np.float32]:
    """A ball that lies on the ground."""
    ((x, y),) = project(CAMERA, np.array([[x_m, y_m]]))
    return np.array([[x - 5, y - 10, x + 5, y, score]], np.float32)


def weighed(boxes: npt.NDArray[np.float32], *frames: Keypoints | None) -> npt.NDArray[np.float32]:
    """Balls of the last of some frames."""
    prior = PitchPrior(SIZE)
    for number, keypoints_of_frame in enumerate(frames):
        prior.begin_frame(FrameResult(number, Detections.empty(), keypoints_of_frame))
    return prior.weigh(boxes)


@pytest.mark.parametrize("pitch", [TEMPLATE, STANDARD], ids=["template", "standard"])
def test_a_ball_beside_the_pitch_counts_less_than_one_on_it(pitch: PitchGeometry) -> None:
    on_pitch, beside = ball_at(40.0, 20.0, 0.6), ball_at(40.0, -3.0, 0.8)

    found = weighed(np.concatenate([beside, on_pitch]), *[keypoints(pitch)] * 3)

    np.testing.assert_allclose(found[:, :4], np.concatenate([on_pitch, beside])[:, :4])
    np.testing.assert_allclose(found[:, 4], [0.6, 0.8 * OUTSIDE_FACTOR], rtol=1e-6)


def test_near_the_edge_of_the_larger_pitch_a_ball_is_on_it() -> None:
    """The template is 70 m wide, the standard pitch 68 m."""
    near_the_edge = ball_at(40.0, 69.5, 0.8)
    assert weighed(near_the_edge, *[keypoints(TEMPLATE)] * 3)[:, 4].tolist() == pytest.approx([0.8])
    assert weighed(near_the_edge, *[keypoints(STANDARD)] * 3)[:, 4].tolist() == pytest.approx([0.4])


def test_as_long_as_the_pitch_is_not_known_a_ball_has_to_be_beside_both() -> None:
    near_the_edge, far_beside = ball_at(40.0, 69.5, 0.8), ball_at(40.0, 75.0, 0.8)
    assert weighed(near_the_edge, keypoints(TEMPLATE))[:, 4].tolist() == pytest.approx([0.8])
    assert weighed(far_beside, keypoints(TEMPLATE))[:, 4].tolist() == pytest.approx([0.4])


def test_a_ball_on_the_line_is_on_the_pitch() -> None:
    on_line = ball_at(40.0, -0.5, 0.6)
    np.testing.assert_array_equal(weighed(on_line, keypoints(STANDARD)), on_line)


def test_an_unsure_ball_beside_the_pitch_is_dropped_and_an_unsure_one_on_it_kept() -> None:
    balls = np.concatenate([ball_at(40.0, -3.0, 0.5), ball_at(40.0, 20.0, 0.2)])
    assert weighed(balls, keypoints(STANDARD))[:, 4].tolist() == pytest.approx([0.2])


def test_what_is_above_the_horizon_is_beside_the_pitch() -> None:
    in_the_sky = np.array([[600, 1, 610, 11, 0.8]], np.float32)
    assert weighed(in_the_sky, keypoints(STANDARD, HIGH_HORIZON))[:, 4].tolist() == pytest.approx([0.4])


@pytest.mark.parametrize(
    "unknown", [None, Keypoints(np.zeros((32, 2), np.float32), np.zeros(32, np.float32))]
)
def test_without_a_pitch_nothing_changes(unknown: Keypoints | None) -> None:
    beside = ball_at(40.0, -3.0, 0.8)
    np.testing.assert_array_equal(weighed(beside, unknown), beside)


def test_the_frame_before_says_nothing_about_this_one() -> None:
    beside = ball_at(40.0, -3.0, 0.8)
    np.testing.assert_array_equal(weighed(beside, keypoints(STANDARD), None), beside)
