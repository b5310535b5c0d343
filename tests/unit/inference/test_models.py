"""Reading raw outputs; the networks themselves are exercised by the integration tests with real weights."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from services.errors import DeviceLost, InferenceError, ModelNotReady, OutOfDeviceMemory
from services.inference.backend import RawOutput
from services.inference.detector import Detector
from services.inference.devices import choose_device
from services.inference.fine_ball_detector import SHARE, STEP, FineBallDetector
from services.inference.model_files import resolve_model
from services.inference.models import Models
from services.inference.pitch_model import PitchModel
from services.inference.torch_backend import TorchBackend, mapped_errors
from services.results import Detections, Keypoints, LumaPicture
from services.settings import load_settings
from services.video.letterbox import Frame, Image, Letterbox

LETTERBOX = Letterbox.fit(1280, 720, 384)
NOTHING = np.zeros(1, np.float32)
KP_NAMES = {i: f"kp{i + 1:02d}" for i in range(32)}


class FakeBackend:
    def __init__(self, raw: RawOutput, names: dict[int, str], **more: Any) -> None:
        self.raw = raw
        self.names = names
        self.keypoint_shape: tuple[int, int] | None = more.get("keypoint_shape")
        self.end2end: bool = more.get("end2end", False)
        self.task: str | None = more.get("task")

    def forward(self, images: list[Image]) -> RawOutput:
        return self.raw[: len(images)]


def blank(count: int) -> list[Image]:
    return [np.zeros((LETTERBOX.input_height, LETTERBOX.input_width, 3), np.uint8)] * count


def raw_output(classes: int, rows: list[tuple[float, float, float, float, int, float]]) -> RawOutput:
    """(1, 4 + classes, anchors) as a YOLO head gives it, from cx, cy, w, h, class, score."""
    out = np.zeros((1, 4 + classes, len(rows)), np.float32)
    for anchor, (cx, cy, w, h, own, score) in enumerate(rows):
        out[0, :4, anchor] = cx, cy, w, h
        out[0, 4 + own, anchor] = score
    return out


class Sized(FakeBackend):
    """Keeps the shape of what it is given."""

    shapes: list[tuple[int, ...]]

    def forward(self, images: list[Image]) -> RawOutput:
        self.shapes = [image.shape for image in images]
        return super().forward(images)


@pytest.mark.parametrize(
    ("largest", "shape"), [(192, (128, 192, 3)), (384, (224, 384, 3)), (None, (224, 384, 3))]
)
def test_pictures_that_are_too_large_for_the_pitch_model_are_reduced(
    largest: int | None, shape: tuple[int, ...]
) -> None:
    # a keypoint in the middle of the model's input is in the middle of the source at every size
    raw = raw_output(32, [(shape[1] / 2, shape[0] / 2, 20, 20, 4, 0.9)])
    backend = Sized(raw, KP_NAMES)
    (found,) = PitchModel(backend, 0.3, largest).predict(blank(1), LETTERBOX)
    assert backend.shapes == [shape]
    np.testing.assert_allclose(found.points[4], [640, 360], atol=0.01)


def test_boxes_come_back_in_source_pixels_with_wire_classes() -> None:
    raw = raw_output(3, [(192, 112, 20, 40, 0, 0.9), (192, 112, 20, 40, 2, 0.8), (100, 50, 9, 9, 1, 0.2)])
    backend = FakeBackend(raw, {0: "Person", 1: "dog", 2: "referee"})
    found = Detector(backend, 0.35, 100).predict(blank(1), LETTERBOX)[0]
    scale = 1280 / 384
    expected = [(192 - 10) * scale, (112 - 20 - 4) * scale, (192 + 10) * scale, (112 + 20 - 4) * scale]
    assert found.classes.tolist() == [2], "the same person was given twice, or a dog was given"
    np.testing.assert_allclose(found.boxes, [expected], rtol=1e-5)
    assert found.scores.tolist() == pytest.approx([0.9])


def test_keypoints_from_a_detector_are_centres_of_the_best_boxes() -> None:
    raw = raw_output(32, [(100, 60, 20, 20, 4, 0.9), (50, 60, 20, 20, 4, 0.5), (300, 200, 20, 20, 31, 0.2)])
    found = PitchModel(FakeBackend(raw, KP_NAMES), 0.3).predict(blank(1), LETTERBOX)[0]
    assert np.flatnonzero(found.scores).tolist() == [4]
    np.testing.assert_allclose(found.points[4], [100 * 1280 / 384, 56 * 1280 / 384], rtol=1e-5)


def test_class_order_of_the_model_does_not_matter() -> None:
    names = {i: f"kp{32 - i:02d}" for i in range(32)}
    raw = raw_output(32, [(100, 60, 20, 20, 0, 0.9)])
    found = PitchModel(FakeBackend(raw, names), 0.3).predict(blank(1), LETTERBOX)[0]
    assert np.flatnonzero(found.scores).tolist() == [31]


def test_keypoints_from_a_model_with_built_in_suppression() -> None:
    raw = np.array([[[90, 50, 110, 70, 0.9, 4], [40, 50, 60, 70, 0.5, 4], [0, 0, 0, 0, 0, 0]]], np.float32)
    backend = FakeBackend(raw, KP_NAMES, end2end=True)
    found = PitchModel(backend, 0.3).predict(blank(1), LETTERBOX)[0]
    np.testing.assert_allclose(found.points[4], [100 * 1280 / 384, 56 * 1280 / 384], rtol=1e-5)


def test_keypoints_from_a_pose_model() -> None:
    raw = np.zeros((1, 4 + 1 + 96, 2), np.float32)
    raw[0, :5, 0] = 192, 112, 300, 150, 0.9
    raw[0, 5 + 3 * 7 : 5 + 3 * 8, 0] = 100, 60, 0.8
    backend = FakeBackend(raw, {0: "pitch"}, keypoint_shape=(32, 3))
    found = PitchModel(backend, 0.3).predict(blank(1), LETTERBOX)[0]
    assert np.flatnonzero(found.scores).tolist() == [7]
    np.testing.assert_allclose(found.points[7], [100 * 1280 / 384, 56 * 1280 / 384], rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "shape"),
    [({0: "person"}, None), ({0: "pitch"}, (17, 3)), ({i: str(i) for i in range(32)}, None)],
)
def test_models_that_are_no_pitch_model(names: dict[int, str], shape: tuple[int, int] | None) -> None:
    with pytest.raises(ModelNotReady, match="32"):
        PitchModel(FakeBackend(NOTHING, names, keypoint_shape=shape), 0.3)


def test_missing_model_names_the_setting_and_what_there_is() -> None:
    with pytest.raises(ModelNotReady, match=r"DETECTOR_MODEL='/no/such.pt'.*touchline-detect"):
        resolve_model("/no/such.pt", "DETECTOR_MODEL")
    assert resolve_model("touchline-pitch", "PITCH_MODEL").is_file()


def test_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"not a model")
    with pytest.raises(ModelNotReady, match="not a model"):
        TorchBackend(tmp_path / "x.pt", "cpu", half=False)


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    if not torch.cuda.is_available():
        assert choose_device("auto") == "cpu"
        with pytest.raises(ModelNotReady, match="DEVICE=cuda:3"):
            choose_device("cuda:3")


@pytest.mark.parametrize(
    ("raised", "mapped"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfDeviceMemory),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLost),
        (RuntimeError("shape mismatch"), InferenceError),
        (ModelNotReady("mine"), ModelNotReady),
    ],
)
def test_errors_of_the_device_are_mapped(raised: Exception, mapped: type[Exception]) -> None:
    with pytest.raises(mapped), mapped_errors():
        raise raised


class CountingModel:
    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Any]:
        self.batches.append(len(images))
        return [Detections.empty() for _ in images]


class BlankPitch:
    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Keypoints]:
        return [Keypoints(np.zeros((32, 2), np.float32), np.zeros(32, np.float32)) for _ in images]


def test_short_batches_are_padded_to_sizes_that_were_warmed() -> None:
    detector = CountingModel()
    models = Models(detector, BlankPitch(), "cpu", [1, 4, 8])
    frames = [Frame(i * 6, image) for i, image in enumerate(blank(5))]
    results = models.predict(frames, LETTERBOX)
    assert [r.index for r in results] == [0, 6, 12, 18, 24]
    models.predict(frames[:1], LETTERBOX)
    models.predict(frames[:4], LETTERBOX)
    assert detector.batches == [8, 1, 4]


@pytest.mark.parametrize(
    ("kinds", "heights"),
    [(("gsr",), [384]), (("gsr", "soccer_action"), [384, 736]), (("soccer_action",), [736])],
)
def test_every_batch_size_is_warmed_in_the_input_size_of_every_served_kind(
    kinds: tuple[str, ...], heights: list[int]
) -> None:
    warmed: list[tuple[int, int]] = []

    class Detector(CountingModel):
        def predict(self, images: list[Image], letterbox: Letterbox) -> list[Any]:
            warmed.append((images[0].shape[0], len(images)))
            return super().predict(images, letterbox)

    settings = load_settings(served_kinds=kinds, img_size=640, action_img_size=1280)
    Models(Detector(), None, "cpu", [1, 4]).warm(settings)
    assert warmed == [(height, count) for height in heights for count in (1, 4)]


def test_without_a_pitch_model_keypoints_are_not_asked_for() -> None:
    models = Models(CountingModel(), None, "cpu")
    assert models.predict([Frame(0, blank(1)[0])], LETTERBOX)[0].keypoints is None


class BrokenDetector:
    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Any]:
        raise InferenceError("broken")


def test_side_by_side_gives_the_same_and_waits_for_both_after_an_error() -> None:
    frames = [Frame(i, image) for i, image in enumerate(blank(3))]
    ended = threading.Event()

    class SlowPitch(BlankPitch):
        def predict(self, images: list[Image], letterbox: Letterbox) -> list[Keypoints]:
            time.sleep(0.05)
            ended.set()
            return super().predict(images, letterbox)

    with ThreadPoolExecutor(1) as executor:
        turns = Models(CountingModel(), BlankPitch(), "cpu").predict(frames, LETTERBOX)
        beside = Models(CountingModel(), BlankPitch(), "cpu", pitch_executor=executor).predict(
            frames, LETTERBOX
        )
        assert [r.index for r in turns] == [r.index for r in beside]
        assert all(r.keypoints is not None for r in beside)
        with pytest.raises(InferenceError, match="broken"):
            Models(BrokenDetector(), SlowPitch(), "cpu", pitch_executor=executor).predict(frames, LETTERBOX)
        assert ended.is_set()


def test_a_network_of_another_kind_is_not_misread() -> None:
    backend = FakeBackend(np.zeros((1, 300, 7), np.float32), {0: "ball", 1: "player", 2: "referee"})
    with pytest.raises(ModelNotReady, match=r"\(1, 300, 7\).*\(pictures, 7, anchors\)"):
        Detector(backend, 0.35, 100).predict(blank(1), LETTERBOX)


@pytest.mark.parametrize("task", ["pose", "segment"])
def test_a_detector_finds_boxes_and_nothing_else(task: str) -> None:
    with pytest.raises(ModelNotReady, match=f"{task}.*'player'"):
        Detector(FakeBackend(NOTHING, {0: "player"}, task=task), 0.35, 100)


def test_boxes_of_an_openvino_model_with_built_in_suppression() -> None:
    backend = FakeBackend(NOTHING, {0: "player"})
    listed = np.array([[[90, 50, 110, 70, 0.9, 0], [0, 0, 0, 0, 0, 0]]], np.float32)
    backend.raw = listed
    found = Detector(backend, 0.35, 100).predict(blank(1), LETTERBOX)[0]
    np.testing.assert_allclose(found.boxes, [[300, 46 * 1280 / 384, 1100 / 3, 66 * 1280 / 384]], rtol=1e-5)


BALLS = [
    (100, 60, 8, 8, 0, 0.6),
    (200, 60, 8, 8, 0, 0.2),
    (300, 60, 8, 8, 0, 0.01),
    (50, 150, 20, 40, 1, 0.2),
]
NAMES = {0: "ball", 1: "player"}


def frame_with_luma(index: int, luma_pictures: int, full_luma: LumaPicture | None = None) -> Frame:
    picture = LumaPicture(index, np.zeros((360, 640), np.uint8), 2.0)
    return Frame(index, blank(1)[0], False, (picture,) * luma_pictures, full_luma)


def test_uncertain_balls_are_candidates_where_there_are_luma_pictures_and_nothing_elsewhere() -> None:
    backend = FakeBackend(raw_output(2, BALLS).repeat(2, axis=0), NAMES)
    detector = Detector(backend, 0.35, 100, ball_confidence=0.05)
    with_luma, without = Models(detector, None, "cpu", ball_confidence=0.35).predict(
        [frame_with_luma(0, 1), frame_with_luma(6, 0)], LETTERBOX
    )
    for result in (with_luma, without):
        assert result.detections.scores.tolist() == pytest.approx([0.6])
    assert with_luma.ball_candidates is not None
    assert with_luma.ball_candidates.scores.tolist() == pytest.approx([0.2])
    assert with_luma.ball_candidates.classes.tolist() == [0]
    assert [one.index for one in with_luma.luma_pictures] == [0]
    assert without.ball_candidates is None


def test_balls_of_both_detectors_are_combined_where_there_is_luma_at_full_size() -> None:
    def run(luma: Any) -> Any:
        raw = np.zeros((1, 5, luma.shape[2] // STEP, luma.shape[3] // STEP), np.float32)
        raw[:, 0] = -9.0
        raw[0, :, 25, 41] = 2.0, 0.5, -0.5, np.log(2.0), np.log(2.0)  # where the detector has its surest ball
        return raw

    backend = FakeBackend(raw_output(2, BALLS).repeat(2, axis=0), NAMES)
    detector = Detector(backend, 0.35, 100, ball_confidence=0.05)
    models = Models(detector, None, "cpu", ball_confidence=0.35, fine_ball_detector=FineBallDetector(run))
    full = LumaPicture(0, np.zeros((720, 1280), np.uint8), 1.0)

    combined, alone = models.predict([frame_with_luma(0, 1, full), frame_with_luma(6, 1)], LETTERBOX)

    fine_score = 1 / (1 + np.exp(-2.0))
    expected = SHARE * fine_score + (1 - SHARE) * 0.6
    assert combined.detections.scores.tolist() == pytest.approx([expected], abs=1e-6)
    np.testing.assert_allclose(combined.detections.boxes, [[328, 192, 344, 208]], atol=1e-3)
    assert combined.ball_candidates is None, "the whole frame has been searched"
    assert alone.detections.scores.tolist() == pytest.approx([0.6])
    assert alone.ball_candidates is not None
    assert {run.model for run in models.take_model_runs()} == {"detector", "fine_ball"}
