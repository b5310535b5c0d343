"""The camera's way through a shot."""

from __future__ import annotations

import numpy as np
import pytest

from services.results import Detections, FrameResult, Keypoints
from services.tracking.camera.homography import Matrix, PictureSize, visible_keypoints
from services.tracking.camera.location import locate
from services.tracking.camera.path import camera_path
from services.tracking.camera.pinhole import decompose_homography
from tests.unit.tracking.camera.test_homography import make_camera, seen

SIZE = PictureSize(1280, 720)
CENTRE = np.array([640.0, 360.0])


def look(index: int, camera: Matrix, noise: float = 0.0) -> FrameResult:
    found = seen(camera)
    random = np.random.default_rng([index, 5])
    points = found.points + random.normal(0, noise, found.points.shape) if noise else found.points
    return FrameResult(index, Detections.empty(), Keypoints(points.astype(np.float32), found.scores))


def swinging(frame: float) -> Matrix:
    """A pan that speeds up and a slow zoom."""
    return make_camera(pan=50 + 0.004 * frame**2, focal=1500 + 3 * frame)


def error(path: Matrix, frames: range) -> float:
    off = []
    for frame in frames:
        true = visible_keypoints(swinging(frame)[None], SIZE)[0]
        given = visible_keypoints(path[frame][None], SIZE)[0]
        both = (true != 0).any(1) & (given != 0).any(1)
        off.append(np.linalg.norm(true - given, axis=1)[both].max())
    return float(max(off))


def test_a_pinhole_camera_is_read_off_its_homography() -> None:
    found = decompose_homography(make_camera(70.0, height=22.0, focal=1700.0), CENTRE)
    assert found is not None
    position, pose = found
    np.testing.assert_allclose(position, [60, 110, 22], atol=1e-6)
    assert np.exp(pose[2]) == pytest.approx(1700)
    assert decompose_homography(np.eye(3), CENTRE) is None


@pytest.mark.parametrize("samples", [range(0, 61, 6), [0, 4, 13, 18, 22, 31, 35, 44, 47, 60], [0, 30, 60]])
def test_a_pan_is_followed_between_samples_however_far_apart(samples: list[int]) -> None:
    results = [look(i, swinging(i)) for i in samples]
    path = camera_path(results, [locate(r, SIZE)[1] for r in results], 0, 61, SIZE)
    assert path is not None
    assert error(path, range(61)) < 1.5


def test_the_place_being_known_noise_moves_the_camera_less() -> None:
    results = [look(i, swinging(i), noise=2.0) for i in range(0, 61, 6)]
    fits = [locate(r, SIZE)[1] for r in results]
    path = camera_path(results, fits, 0, 61, SIZE)
    assert path is not None
    sampled = range(0, 61, 6)
    free = np.zeros((61, 3, 3))
    for i, fit in zip(sampled, fits, strict=True):
        assert fit is not None
        free[i] = fit
    assert np.mean([error(path, range(i, i + 1)) for i in sampled]) < np.mean(
        [error(free, range(i, i + 1)) for i in sampled]
    )


def test_a_sample_with_too_few_points_for_a_homography_still_has_a_camera() -> None:
    results = [look(i, swinging(i)) for i in range(0, 61, 6)]
    poor = results[5].keypoints
    assert poor is not None
    poor.scores[np.flatnonzero(poor.scores)[3:]] = 0
    fits = [locate(r, SIZE)[1] for r in results]
    assert fits[5] is None
    path = camera_path(results, fits, 0, 61, SIZE)
    assert path is not None
    assert error(path, range(61)) < 1.5


def test_a_lens_that_is_no_pinhole_keeps_its_homographies() -> None:
    stretched = np.diag([1.6, 1.0, 1.0])  # pixels that are not square
    homography_path = [stretched @ swinging(i) for i in range(0, 61, 6)]
    results = [look(i * 6, camera) for i, camera in enumerate(homography_path)]
    fits = [locate(r, SIZE)[1] for r in results]
    path = camera_path(results, fits, 0, 61, SIZE)
    assert path is not None
    for i, camera in enumerate(homography_path):
        true = visible_keypoints(camera[None], SIZE)[0]
        given = visible_keypoints(path[i * 6][None], SIZE)[0]
        both = (true != 0).any(1) & (given != 0).any(1)
        assert np.linalg.norm(true - given, axis=1)[both].max() < 2.0


def test_without_any_fit_there_is_no_camera() -> None:
    assert camera_path([FrameResult(0, Detections.empty(), None)], [None], 0, 5, SIZE) is None
