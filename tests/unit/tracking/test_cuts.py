from __future__ import annotations

import msgspec
import numpy as np
import pytest

from services.results import Detections, FrameResult
from services.tracking.camera.homography import PictureSize
from services.tracking.cuts import LUMA, first_after, is_cut
from tests.unit.lab.evaluation.clips import settings
from tests.unit.tracking.camera.test_homography import make_camera
from touchline_lab.evaluation.ground_truth_predictor import GroundTruthPredictor
from touchline_lab.evaluation.inferred_clip import answer_by_pipeline, infer_clip
from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.scene_clip import render_scene

SIZE = PictureSize(1280, 720)
NO_CAMERAS = (None, None)


def picture(seed: int, low: int = 0, high: int = 256) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(low, high, (18, 40, 3)).astype(np.uint8)


def test_a_picture_that_moves_is_no_cut_and_other_colours_are_one() -> None:
    wide = picture(1)
    assert not is_cut(wide[:, :32], wide[:, 8:], NO_CAMERAS, 6, SIZE)
    assert is_cut(picture(1, 0, 90), picture(2, 120, 200), NO_CAMERAS, 6, SIZE)
    assert not is_cut(None, wide, NO_CAMERAS, 6, SIZE)


def test_the_same_colours_from_another_side_are_a_cut_where_the_camera_jumped() -> None:
    one, other = picture(1)[:, :32], picture(2)[:, :32]
    near, far = make_camera(20.0), make_camera(100.0)
    assert not is_cut(one, other, (near, near), 6, SIZE)
    assert is_cut(one, other, (near, far), 6, SIZE)
    assert not is_cut(one, other, (near, far), 50, SIZE)  # time enough to turn


def around(looks: dict[int, int]) -> tuple[FrameResult, FrameResult]:
    """Samples 54 and 60 on both sides of a cut, and looks between them, each like sample 0 or 1."""
    one, other = picture(1, 0, 140)[:, :32], picture(2, 60, 200)[:, :32]
    grey = [np.asarray(side @ LUMA + 16, np.uint8) for side in (one, other)]  # as luma is stored
    between = tuple(FrameResult(n, Detections.empty(), None, grey[side]) for n, side in looks.items())
    return (
        FrameResult(54, Detections.empty(), None, one),
        FrameResult(60, Detections.empty(), None, other, intermediate=between),
    )


def test_frames_that_were_looked_at_say_where_a_cut_is() -> None:
    assert first_after(*around({}), ()) == 57, "the nearer side"
    assert first_after(*around({56: 0, 58: 0}), ()) == 59
    assert first_after(*around({56: 0, 58: 1}), ()) == 57
    assert first_after(*around({56: 1, 58: 1}), ()) == 55


def test_a_key_frame_is_taken_for_the_first_one_behind_a_cut() -> None:
    assert first_after(*around({}), (50, 60, 100)) == 60
    assert first_after(*around({}), (0, 55)) == 55
    assert first_after(*around({56: 0, 58: 0}), (55, 100)) == 59, "where frames show that it is none"
    assert first_after(*around({56: 0, 58: 1}), (58,)) == 58


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, GroundTruthPredictor]:
    path = tmp_path_factory.mktemp("cut") / "cut.mp4"
    known = render_scene(path, SceneConditions("cut", (3000, 3001), seconds=1.6, size=(640, 352)))
    assert known.cuts == [20]
    return path.read_bytes(), GroundTruthPredictor(known.truth)


@pytest.mark.parametrize("stride", [1, 6])
def test_a_cut_ends_all_tracks(two_shots: tuple[bytes, GroundTruthPredictor], stride: int) -> None:
    data, models = two_shots
    frames = msgspec.json.decode(answer_by_pipeline(data, models, settings(stride)))["frames"]
    ids = [{found["id"] for found in frame["objects"]} for frame in frames]
    middle = 20  # at stride 6 the key frame behind the cut tells, which no sample is
    assert not set.union(*ids[:middle]) & set.union(*ids[middle:])
    assert all(ids)
    inferred = infer_clip(data, models, settings())
    # one answer has no trace of the other shot: keypoints stay those of the nearer side
    points = np.array([frame["keypoints"] for frame in frames])
    seen = np.array([result.keypoints.points for result in inferred.results if result.keypoints])
    for frame in (middle - 1, middle):
        side = 18 if frame < middle else 24
        both = (points[frame] != 0).any(1) & (seen[side] != 0).any(1)
        assert np.abs(points[frame] - seen[side])[both].max() < 60
