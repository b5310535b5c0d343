from __future__ import annotations

import numpy as np
import pytest

from services.pitch import STANDARD, TEMPLATE, PitchGeometry
from services.results import Detections, FrameResult, Keypoints
from services.tracking.camera.geometry import DECISIVE, PitchVotes
from services.tracking.camera.homography import Matrix, PictureSize, fit_homography, visible_keypoints
from services.tracking.clip import ClipTracker
from tests.unit.tracking.camera.test_homography import make_camera

SIZE = PictureSize(1280, 720)


def keypoints_of(pitch: PitchGeometry, camera: Matrix) -> Keypoints:
    """What a good pitch model finds of this pitch: every vertex in the picture, a little off."""
    points = visible_keypoints(camera[None], SIZE, pitch)[0]
    there = (points != 0).any(1)
    points = points + np.random.default_rng(3).normal(0, 0.5, points.shape)
    return Keypoints(points.astype(np.float32), there.astype(np.float32))


@pytest.mark.parametrize("pitch", [TEMPLATE, STANDARD], ids=lambda pitch: pitch.name)
@pytest.mark.parametrize("pan", [15.0, 95.0])
def test_a_penalty_area_tells_which_pitch_it_is(pitch: PitchGeometry, pan: float) -> None:
    votes = PitchVotes(SIZE)
    for _ in range(DECISIVE):
        votes.add(keypoints_of(pitch, make_camera(pan)))
    assert votes.decided
    assert votes.leader is pitch


def test_without_a_vote_it_is_the_pitch_of_real_matches() -> None:
    votes = PitchVotes(SIZE)
    votes.add(None)
    votes.add(Keypoints(np.zeros((32, 2), np.float32), np.zeros(32, np.float32)))
    assert not votes.decided
    assert votes.leader is STANDARD


@pytest.mark.parametrize("pitch", [TEMPLATE, STANDARD], ids=lambda pitch: pitch.name)
def test_a_clip_is_answered_with_the_vertices_of_its_pitch(pitch: PitchGeometry) -> None:
    cameras = [make_camera(20.0 + i) for i in range(6)]
    clip = ClipTracker(SIZE, 6)
    for number, camera in enumerate(cameras):
        clip.add(FrameResult(6 * number, Detections.empty(), keypoints_of(pitch, camera)))
    filled = clip.fill(31)
    assert filled.pitch is pitch
    expected = visible_keypoints(cameras[2][None], SIZE, pitch)[0]
    given = filled.keypoints[12]
    both = (expected != 0).any(1) & (given != 0).any(1)
    assert both.sum() >= 6
    assert np.linalg.norm(expected - given, axis=1)[both].max() < 4.0


def test_a_heap_of_points_is_no_pitch() -> None:
    keypoints = keypoints_of(STANDARD, make_camera(20.0))
    heap = (keypoints.points * 0.05 + [600, 300]).astype(np.float32)
    assert fit_homography(keypoints, SIZE, STANDARD) is not None
    assert fit_homography(Keypoints(heap, keypoints.scores), SIZE, STANDARD) is None


def test_a_camera_at_the_height_of_the_grass_is_impossible() -> None:
    low = keypoints_of(STANDARD, make_camera(20.0, height=1.0, focal=900.0))
    assert np.count_nonzero(low.scores) >= 6
    assert fit_homography(low, SIZE, STANDARD) is None


def test_points_of_which_most_disagree_give_no_camera() -> None:
    keypoints = keypoints_of(STANDARD, make_camera(20.0))
    found = np.flatnonzero(keypoints.scores)
    points = keypoints.points.copy()
    points[found[5:]] = np.random.default_rng(1).uniform(0, 700, (len(found) - 5, 2))
    assert fit_homography(Keypoints(points, keypoints.scores), SIZE, STANDARD) is None
