"""Lens distortion: the model, its estimate from keypoints, and what it is good for in an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from services.pitch import STANDARD
from services.results import Detections, FrameResult, Keypoints
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, visible_keypoints
from services.tracking.camera.lens import Lens, estimate_lens, undistorted
from services.tracking.camera.pinhole import FixedCamera
from services.tracking.clip import fill_clip

SIZE = PictureSize(1280, 720)
STRIDE = 6
FRAMES = 8
CAMERA = FixedCamera(np.array([52.5, 110.0, 25.0]), 0.0, SIZE.centre)


def cameras(count: int) -> Matrix:
    """A pan over the pitch: (count, 3, 3)."""
    pan = np.linspace(-0.25, 0.25, count)
    return CAMERA.homographies(np.stack([pan, np.full(count, 0.27), np.full(count, np.log(1400.0))], 1))


def shown(lens: Lens | None, count: int) -> Matrix:
    return visible_keypoints(cameras(count), SIZE, STANDARD, None if lens is None else lens.distort)


def project_all(path: Matrix, ground: Matrix, lens: Lens) -> Matrix:
    """Where each camera shows a point on the ground: (n, 2)."""
    mapped = path[:, :, :2] @ ground + path[:, :, 2]
    return lens.distort(mapped[:, :2] / mapped[:, 2:])


def results(lens: Lens | None, noise_px: float = 0.5) -> list[FrameResult]:
    """Sampled frames of the pan, with the keypoints that the lens shows."""
    random = np.random.default_rng(0)
    points = shown(lens, (FRAMES - 1) * STRIDE + 1)[::STRIDE]
    found = []
    for number, seen in enumerate(points):
        there = (seen != 0).any(axis=1)
        noisy = (seen + random.normal(0, noise_px, seen.shape)) * there[:, None]
        keypoints = Keypoints(noisy.astype(np.float32), there.astype(np.float32))
        found.append(FrameResult(number * STRIDE, Detections.empty(), keypoints))
    return found


def fits(frames: Sequence[FrameResult]) -> list[Matrix | None]:
    return [fit_homography(one.keypoints, SIZE, STANDARD) for one in frames if one.keypoints is not None]


@pytest.mark.parametrize("size", [SIZE, PictureSize(1080, 1920)], ids=["wide", "vertical"])
@pytest.mark.parametrize("coefficient", [-0.04, 0.0, 0.03, 0.08])
def test_distorting_is_the_inverse_of_undistorting(coefficient: float, size: PictureSize) -> None:
    lens = Lens(coefficient, size)
    across, down = np.linspace(0, size.width, 9), np.linspace(0, size.height, 7)
    grid = np.stack(np.meshgrid(across, down), 2).reshape(-1, 2)
    np.testing.assert_allclose(lens.distort(lens.undistort(grid)), grid, atol=0.01)


def test_a_point_at_the_edge_moves_by_the_coefficient_and_the_middle_stays() -> None:
    lens = Lens(0.05, SIZE)
    moved = lens.undistort(np.array([[1280.0, 360.0], [640.0, 360.0]]))
    np.testing.assert_allclose(moved, [[640 + 640 * 1.05, 360.0], [640.0, 360.0]])


@pytest.mark.parametrize("coefficient", [-0.03, -0.02, 0.02, 0.035, 0.05])
def test_the_lens_of_a_shot_is_found_from_its_keypoints(coefficient: float) -> None:
    frames = results(Lens(coefficient, SIZE))
    found = estimate_lens(frames, fits(frames), SIZE, STANDARD)
    assert found is not None
    assert found.coefficient == pytest.approx(coefficient, abs=0.006)


def test_without_distortion_there_is_no_lens_to_correct() -> None:
    frames = results(None)
    assert estimate_lens(frames, fits(frames), SIZE, STANDARD) is None


def test_keypoints_that_were_moved_onto_lines_do_not_tell_the_lens() -> None:
    frames = results(None, noise_px=0.0)
    assert estimate_lens(frames, fits(frames), SIZE, STANDARD) is None


def test_keypoints_that_are_no_numbers_do_not_tell_the_lens() -> None:
    frames = results(Lens(0.05, SIZE))
    known = fits(frames)
    broken = [None if fit is None else np.full((3, 3), np.nan) for fit in known]
    assert estimate_lens(frames, broken, SIZE, STANDARD) is None


def test_a_few_frames_do_not_tell_the_lens() -> None:
    frames = results(Lens(0.05, SIZE))[:4]
    assert estimate_lens(frames, fits(frames), SIZE, STANDARD) is None


def test_undistorted_keypoints_fit_a_homography_and_absent_ones_stay_absent() -> None:
    lens = Lens(0.05, SIZE)
    frames = results(lens, noise_px=0.0)
    straight, fitted = undistorted(frames, fits(frames), lens, STANDARD)
    for before, after, fit, true in zip(frames, straight, fitted, cameras(43)[::STRIDE], strict=True):
        assert before.keypoints is not None
        assert after.keypoints is not None
        assert fit is not None
        there = after.keypoints.scores > 0
        assert not after.keypoints.points[~there].any()
        np.testing.assert_allclose(fit / fit[2, 2], true / true[2, 2], rtol=1e-3, atol=1e-3)


def test_an_answer_has_the_keypoints_where_the_lens_shows_them() -> None:
    lens = Lens(0.05, SIZE)
    frames = results(lens)
    count = (FRAMES - 1) * STRIDE + 1
    answered = fill_clip(frames, count, SIZE, stride=STRIDE).keypoints
    true = shown(lens, count)
    both = (answered != 0).any(axis=2) & (true != 0).any(axis=2)
    assert both.sum() > 0.95 * (true != 0).any(axis=2).sum()
    assert np.median(np.linalg.norm(answered - true, axis=2)[both]) < 0.5
    assert np.linalg.norm(answered - true, axis=2)[both].max() < 3.0


def test_a_person_who_stands_still_stays_where_the_lens_shows_them() -> None:
    """Every second sampled frame misses the person; between them only the camera tells where they are."""
    lens = Lens(0.08, SIZE)
    count = (FRAMES - 1) * STRIDE + 1
    feet = project_all(cameras(count), np.array([62.0, 40.0]), lens)
    seen = []
    for one in results(lens, noise_px=0.0):
        x, y = feet[one.index]
        box = np.array([[x - 12, y - 60, x + 12, y]], np.float32)
        person = Detections(box, np.ones(1, np.float32), np.full(1, 2))
        seen.append(replace(one, detections=person if one.index % 12 == 0 else Detections.empty()))
    filled = fill_clip(seen, count, SIZE, stride=STRIDE)
    middles = (filled.boxes[:, 0] + filled.boxes[:, 2]) / 2
    assert len(middles) > 20
    np.testing.assert_allclose(middles, feet[filled.frame, 0], atol=0.2)
