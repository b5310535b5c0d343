import pytest

from services.wire.gsr import frames_part
from tests.unit.lab.evaluation.clips import RecordingPredictor, settings, tiny
from touchline_lab.evaluation.inferred_clip import answer_by_pipeline, answer_by_plan, infer_clip
from touchline_lab.evaluation.measure import measure
from touchline_lab.renderer.scene_clip import SceneTruth

FRAMES = 15


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, SceneTruth]:
    return tiny(tmp_path_factory.mktemp("tiny"))


def test_every_frame_is_inferred_once_whatever_the_strides(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip
    models, progress = RecordingPredictor(truth.truth), []
    inferred = infer_clip(data, models, settings(6), lambda done, total: progress.append((done, total)))
    assert [answer_by_plan(inferred, models, settings(stride)).sampled for stride in (1, 3, 6)] == [15, 6, 4]
    assert models.inferred == list(range(FRAMES))
    assert progress[-1] == (FRAMES, FRAMES)


@pytest.mark.parametrize("stride", [1, 4, 6])
def test_the_answer_at_a_stride_is_that_of_the_pipeline(clip: tuple[bytes, SceneTruth], stride: int) -> None:
    data, truth = clip
    models = RecordingPredictor(truth.truth)
    inferred = infer_clip(data, models, settings())
    answer = answer_by_plan(inferred, models, settings(stride))
    models.inferred.clear()
    body = answer_by_pipeline(data, models, settings(stride))
    assert frames_part(answer.body) == frames_part(body)
    assert len(models.inferred) == answer.sampled
    assert [frame["frame_number"] for frame in answer.frames] == list(range(FRAMES))


def test_the_ground_truth_as_answer_measures_as_nearly_perfect(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip
    models = RecordingPredictor(truth.truth)
    answer = answer_by_plan(infer_clip(data, models, settings()), models, settings())
    found = measure(answer.frames, truth.truth, truth.ids, 1.0)
    assert found.f1 > 0.97
    assert found.coverage == found.located == 1.0
    assert found.idf1 is not None
    assert found.idf1 > 0.9
    assert found.keypoint_px is not None
    assert found.keypoint_px < 0.5
    assert found.keypoint_score > 0.95


def test_keypoints_have_a_stride_of_their_own(clip: tuple[bytes, SceneTruth]) -> None:
    data, truth = clip
    models = RecordingPredictor(truth.truth)
    inferred = infer_clip(data, models, settings())
    sparse = settings(2).model_copy(update={"pitch_stride": 3})
    assert answer_by_plan(inferred, models, sparse).body != answer_by_plan(inferred, models, settings(2)).body
    assert frames_part(answer_by_plan(inferred, models, sparse).body) == frames_part(
        answer_by_plan(inferred, models, sparse).body
    )
