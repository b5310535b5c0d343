"""Homographies against painted lines, on drawn pitches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.pitch import STANDARD, TEMPLATE
from services.results import Detections, FrameResult, Keypoints, PaintedLines
from services.tracking.camera.homography import Matrix, PictureSize, project, visible_keypoints
from services.tracking.camera.line_fit import GOOD_SUPPORT, MIN_SUPPORT, line_support
from services.tracking.camera.location import locate
from services.video.letterbox import Letterbox
from services.video.painted_lines import painted_lines
from tests.unit.tracking.camera.test_homography import make_camera

SIZE = PictureSize(1280, 720)
BOX = Letterbox.fit(SIZE.width, SIZE.height, 640)
NOBODY = np.zeros((0, 4), np.float32)


def grass(colour: tuple[int, int, int] = (60, 130, 50)) -> npt.NDArray[np.uint8]:
    """A picture of grass without lines, RGB, as large as the models take it."""
    return np.full((BOX.height, BOX.width, 3), colour, np.uint8)


def pitch_picture(camera: Matrix) -> npt.NDArray[np.uint8]:
    """The standard pitch's lines, as this camera sees them."""
    picture = grass()
    points = project(camera, STANDARD.line_points_m) * BOX.width / SIZE.width
    metres = STANDARD.line_points_m
    for i in np.flatnonzero(np.linalg.norm(np.diff(metres, axis=0), axis=1) < 1):
        if np.isfinite(points[i : i + 2]).all() and np.abs(points[i : i + 2]).max() < 5000:
            ends = np.rint(points[i : i + 2]).astype(int).tolist()
            cv2.line(picture, ends[0], ends[1], (230, 230, 230), 2)
    return picture


def lines_of(picture: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float32] = NOBODY) -> PaintedLines:
    return painted_lines(BOX.padded(picture), BOX, boxes)


def moved_by(camera: Matrix, pixels: float) -> Matrix:
    """The same camera with the picture's corners off by about so many pixels."""
    corners = SIZE.corners.astype(np.float32)
    off = corners + np.random.default_rng(2).normal(0, pixels, (4, 2)).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, off) @ camera, np.float64)


def result_of(camera: Matrix, lines: PaintedLines | None) -> FrameResult:
    """A frame whose keypoints lie where this camera has them."""
    points = visible_keypoints(camera[None], SIZE, STANDARD)[0]
    there = (points != 0).any(1)
    keypoints = Keypoints(points.astype(np.float32), there.astype(np.float32))
    return FrameResult(0, Detections.empty(), keypoints, painted_lines=lines)


def farthest(fit: Matrix, camera: Matrix) -> float:
    """How far the visible keypoints of two cameras are apart, pixels."""
    there = (visible_keypoints(camera[None], SIZE, STANDARD)[0] != 0).any(1)
    vertices = STANDARD.vertices_m[there]
    return float(np.linalg.norm(project(fit, vertices) - project(camera, vertices), axis=1).max())


@pytest.mark.parametrize("pan", [15.0, 45.0, 95.0])
def test_painted_lines_support_the_camera_that_sees_them(pan: float) -> None:
    camera = make_camera(pan)
    lines = lines_of(pitch_picture(camera))
    assert line_support(camera, lines, STANDARD) > 0.9
    assert line_support(make_camera(pan + 12), lines, STANDARD) < MIN_SUPPORT


@pytest.mark.parametrize("pan", [15.0, 45.0, 95.0])
def test_a_homography_beside_the_lines_is_moved_onto_them(pan: float) -> None:
    camera = make_camera(pan)
    beside = moved_by(camera, 25)
    lines = lines_of(pitch_picture(camera))
    assert line_support(beside, lines, STANDARD) < GOOD_SUPPORT
    result, fit = locate(result_of(beside, lines), SIZE, STANDARD)
    assert fit is not None
    assert farthest(beside, camera) > 15
    assert farthest(fit, camera) < 8
    assert result.keypoints is not None
    there = result.keypoints.scores > 0
    assert np.allclose(project(fit, STANDARD.vertices_m[there]), result.keypoints.points[there], atol=0.1)


def test_a_homography_on_the_lines_stays_as_it_is() -> None:
    camera = make_camera(30.0)
    given = result_of(camera, lines_of(pitch_picture(camera)))
    result, fit = locate(given, SIZE, STANDARD)
    assert result is given
    assert fit is not None
    assert farthest(fit, camera) < 1


def test_keypoints_without_painted_lines_are_no_pitch() -> None:
    camera = make_camera(30.0)
    _, fit = locate(result_of(camera, lines_of(grass())), SIZE, STANDARD)
    assert fit is None
    _, fit = locate(result_of(camera, lines_of(grass(colour=(40, 60, 200)))), SIZE, STANDARD)
    assert fit is None


def test_a_predictor_that_finds_no_lines_is_trusted() -> None:
    camera = make_camera(30.0)
    _, fit = locate(result_of(camera, None), SIZE, STANDARD)
    assert fit is not None


def test_the_pitch_itself_is_told_by_its_lines() -> None:
    camera = make_camera(15.0)
    lines = lines_of(pitch_picture(camera))
    assert line_support(camera, lines, TEMPLATE) < line_support(camera, lines, STANDARD)
