from __future__ import annotations

import numpy as np
import pytest

from services.pitch import TEMPLATE
from services.results import Keypoints
from services.tracking.camera import homography as camera
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, project

SIZE = PictureSize(1280, 720)
VERTICES_M = TEMPLATE.vertices_m


def make_camera(pan: float = 60.0, height: float = 20.0, focal: float = 1500.0) -> Matrix:
    """A camera 40 m behind the near touchline that looks at (pan, 35) on the pitch; metres to pixels."""
    position = np.array([60.0, 110.0, height])
    forward = np.array([pan, 35.0, 0.0]) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    right /= -np.linalg.norm(right)  # the pitch's y runs towards the camera: a left-handed ground plane
    down = -np.cross(forward, right)
    if down[2] > 0:
        down = -down
    rotation = np.stack([right, down, forward])
    shift = -rotation @ position
    inner = np.array([[focal, 0, 640], [0, focal, 360], [0, 0, 1]])
    return np.asarray(inner @ np.c_[rotation[:, :2], shift], np.float64)


def visible_keypoints(homography: Matrix, size: PictureSize) -> Matrix:
    return camera.visible_keypoints(homography[None], size)[0]


def seen(homography: Matrix, noise: float = 0.0) -> Keypoints:
    points = visible_keypoints(homography, SIZE)
    there = (points != 0).any(1)
    points = points + np.random.default_rng(1).normal(0, noise, points.shape) if noise else points
    return Keypoints(points.astype(np.float32), there.astype(np.float32))


def test_the_test_camera_is_like_a_broadcast_one() -> None:
    h = make_camera()
    left, right = project(h, np.array([[50.0, 35.0], [70.0, 35.0]]))
    far, near = project(h, np.array([[60.0, 20.0], [60.0, 60.0]]))
    assert left[0] < right[0]
    assert far[1] < near[1]
    assert np.count_nonzero(seen(h).scores) >= 6


def test_fit_gives_the_camera_back() -> None:
    h = make_camera()
    fitted = fit_homography(seen(h), SIZE)
    assert fitted is not None
    np.testing.assert_allclose(visible_keypoints(fitted, SIZE), visible_keypoints(h, SIZE), atol=0.01)


def test_fit_survives_a_wrong_keypoint_and_noise() -> None:
    h = make_camera()
    keypoints = seen(h, noise=1.0)
    wrong = np.flatnonzero(keypoints.scores)[0]
    keypoints.points[wrong] += 200
    fitted = fit_homography(keypoints, SIZE)
    assert fitted is not None
    error = np.linalg.norm(
        project(fitted, VERTICES_M[[14, 15, 30, 31]]) - project(h, VERTICES_M[[14, 15, 30, 31]]), axis=1
    )
    assert np.median(error) < 6


def test_too_few_or_collinear_points_give_no_camera() -> None:
    keypoints = seen(make_camera())
    few = keypoints.scores.copy()
    few[np.flatnonzero(few)[3:]] = 0
    assert fit_homography(Keypoints(keypoints.points, few), SIZE) is None
    line = np.zeros(32, np.float32)
    line[[13, 14, 15, 16]] = 1  # the halfway line
    assert fit_homography(Keypoints(keypoints.points, line), SIZE) is None


def test_mirrored_points_give_no_camera() -> None:
    keypoints = seen(make_camera())
    mirrored = keypoints.points.copy()
    mirrored[:, 0] = 1280 - mirrored[:, 0]
    assert fit_homography(Keypoints(mirrored, keypoints.scores), SIZE) is None


def test_only_keypoints_in_the_picture_are_given() -> None:
    points = visible_keypoints(make_camera(pan=15.0), SIZE)
    there = (points != 0).any(1)
    assert there[:13].any()
    assert not there[17:30].any(), "the far side of the pitch is out of the picture"
    inside = points[there]
    assert (inside >= 0).all()
    assert (inside < [1280, 720]).all()


def test_camera_between_two_samples_follows_a_pan() -> None:
    first, middle, last = (make_camera(pan) for pan in (58.0, 60.0, 62.0))
    between = camera.between(first, last, np.array([0.5]), SIZE)[0]
    error = np.abs(visible_keypoints(between, SIZE) - visible_keypoints(middle, SIZE))
    assert error.max() < 1.0
    np.testing.assert_allclose(
        visible_keypoints(camera.between(first, last, np.array([0.0]), SIZE)[0], SIZE),
        visible_keypoints(first, SIZE),
        atol=0.05,
    )


def test_a_sample_that_jumps_and_comes_back_strays_and_a_steady_pan_does_not() -> None:
    first, middle, last = (make_camera(50 + i) for i in range(3))
    assert not camera.is_outlier(first, middle, last, (0, 6, 12), SIZE)
    assert camera.is_outlier(first, make_camera(75), last, (0, 6, 12), SIZE)
    assert not camera.is_outlier(first, make_camera(50.2), last, (0, 1, 10), SIZE)  # uneven distances


def test_every_frame_gets_a_camera() -> None:
    fits: list[Matrix | None] = [None, make_camera(58), None, make_camera(62), None]
    path = camera.homography_path(fits, [0, 6, 12, 18, 24], 30, SIZE)
    assert path is not None
    assert path.shape == (30, 3, 3)
    given = path / path[:, 2:, 2:]
    np.testing.assert_allclose(given[:7], np.broadcast_to(given[6], (7, 3, 3)))
    np.testing.assert_allclose(given[18:], np.broadcast_to(given[18], (12, 3, 3)))
    assert not np.allclose(given[7:18], given[6])
    assert camera.homography_path([None, None], [0, 6], 8, SIZE) is None


def test_project_at_infinity() -> None:
    h = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert np.isnan(project(h, np.array([[0.0, 5.0]]))).all()


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_degenerate_matrices_are_no_view(bad: Matrix) -> None:
    assert not camera.is_view(bad, VERTICES_M[:5], SIZE)
