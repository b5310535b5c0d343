"""Balls beside the pitch: their confidence, with and without a pitch in the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from services.pitch import STANDARD, TEMPLATE, PitchGeometry
from services.results import Keypoints
from services.tracking.ball.pitch_prior import OUTSIDE_FACTOR, PitchPrior
from services.tracking.camera.homography import PictureSize, project, visible_keypoints

SIZE = PictureSize(1280, 720)
CAMERA = np.array([[9.0, -2.0, 260.0], [0.0, 3.0, 140.0], [0.0, -0.004, 1.0]])
"""Of a camera behind the near touchline, from metres to pixels."""


def keypoints(pitch: PitchGeometry) -> Keypoints:
    points = visible_keypoints(CAMERA[None], SIZE, pitch)[0]
    return Keypoints(points.astype(np.float32), (points != 0).any(axis=1).astype(np.float32))


def ball_at(x_m: float, y_m: float, score: float) -> npt.NDArray[np.float32]:
    """A ball that lies on the ground."""
    ((x, y),) = project(CAMERA, np.array([[x_m, y_m]]))
    return np.array([[x - 5, y - 10, x + 5, y, score]], np.float32)


@pytest.mark.parametrize("pitch", [TEMPLATE, STANDARD], ids=["template", "standard"])
def test_a_ball_beside_the_pitch_counts_less_than_one_on_it(pitch: PitchGeometry) -> None:
    on_pitch, beside = ball_at(40.0, 20.0, 0.6), ball_at(40.0, -3.0, 0.8)

    weighed = PitchPrior(keypoints(pitch), SIZE).weigh(np.concatenate([beside, on_pitch]))

    np.testing.assert_allclose(weighed[:, :4], np.concatenate([on_pitch, beside])[:, :4])
    np.testing.assert_allclose(weighed[:, 4], [0.6, 0.8 * OUTSIDE_FACTOR], rtol=1e-6)


def test_a_ball_on_the_line_is_on_the_pitch() -> None:
    on_line = ball_at(40.0, -0.5, 0.6)
    np.testing.assert_array_equal(PitchPrior(keypoints(STANDARD), SIZE).weigh(on_line), on_line)


def test_an_unsure_ball_beside_the_pitch_is_dropped_and_an_unsure_one_on_it_kept() -> None:
    balls = np.concatenate([ball_at(40.0, -3.0, 0.5), ball_at(40.0, 20.0, 0.2)])
    weighed = PitchPrior(keypoints(STANDARD), SIZE).weigh(balls)
    assert weighed[:, 4].tolist() == pytest.approx([0.2])


def test_what_is_above_the_horizon_is_beside_the_pitch() -> None:
    in_the_sky = np.array([[600, 1, 610, 11, 0.8]], np.float32)
    camera = np.array([[9.0, -2.0, 260.0], [0.0, 1.0, 240.0], [0.0, -0.004, 1.0]])
    points = visible_keypoints(camera[None], SIZE, STANDARD)[0]
    found = Keypoints(points.astype(np.float32), (points != 0).any(axis=1).astype(np.float32))
    assert PitchPrior(found, SIZE).weigh(in_the_sky)[:, 4].tolist() == pytest.approx([0.4])


@pytest.mark.parametrize(
    "unknown", [None, Keypoints(np.zeros((32, 2), np.float32), np.zeros(32, np.float32))]
)
def test_without_a_pitch_nothing_changes(unknown: Keypoints | None) -> None:
    beside = ball_at(40.0, -3.0, 0.8)
    np.testing.assert_array_equal(PitchPrior(unknown, SIZE).weigh(beside), beside)
