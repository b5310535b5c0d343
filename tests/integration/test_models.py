"""The bundled models, and the same network in another format, on a rendered clip."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from services.frame_plan import FramePlan
from services.inference.detector import Detector
from services.inference.model_files import resolve_model
from services.inference.models import Models, load_models
from services.inference.torch_backend import TorchBackend
from services.settings import Settings, load_settings
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Frame, Letterbox
from services.video.source import MemorySource
from touchline_lab.renderer.clip_store import StoredClip

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(device="cpu")


@pytest.fixture(scope="module")
def models(settings: Settings) -> Models:
    return load_models(settings)


@pytest.fixture(scope="module")
def sampled(clip_4s: StoredClip, settings: Settings) -> tuple[list[Frame], Letterbox]:
    clip = open_clip(MemorySource(clip_4s.path.read_bytes()), DecodeLimits(1000, 1 << 22))
    box = Letterbox.fit(clip.width, clip.height, settings.img_size)
    return list(clip.frames(FramePlan(25, clip.count), box)), box


def test_the_same_batch_gives_the_same_bits(models: Models, sampled: tuple[list[Frame], Letterbox]) -> None:
    first, second = models.predict(*sampled), models.predict(*sampled)
    assert sum(len(r.detections.boxes) for r in first) > 10
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.detections.boxes, b.detections.boxes)
        assert a.keypoints is not None
        assert b.keypoints is not None
        assert np.array_equal(a.keypoints.points, b.keypoints.points)


def test_keypoints_are_where_the_truth_has_them(
    models: Models, sampled: tuple[list[Frame], Letterbox], clip_4s: StoredClip
) -> None:
    errors = []
    for result in models.predict(*sampled):
        assert result.keypoints is not None
        truth = np.array(clip_4s.truth.frames[result.index].keypoints)
        both = (result.keypoints.scores > 0) & (truth != 0).any(1)
        errors += np.linalg.norm(result.keypoints.points - truth, axis=1)[both].tolist()
    assert len(errors) > 20
    assert np.median(errors) < 15


@pytest.mark.filterwarnings("ignore")  # the exporter and the tracer have many
def test_an_exported_model_can_be_named_instead(
    sampled: tuple[list[Frame], Letterbox], tmp_path: Path, settings: Settings
) -> None:
    from ultralytics import YOLO

    # the same arithmetic on both sides: 8 bits change the order of boxes with nearly equal scores
    models = load_models(load_settings(device="cpu", runtime="torch"))

    copy = tmp_path / "mine.pt"
    shutil.copyfile(resolve_model("touchline-detect-rendered", "DETECTOR_MODEL"), copy)
    exported = YOLO(str(copy)).export(format="torchscript", imgsz=(224, 384), verbose=False)
    backend = TorchBackend(Path(exported), "cpu", half=False)
    assert sorted(backend.names.values()) == ["ball", "goalkeeper", "player", "referee"]
    detector = Detector(backend, settings.conf_threshold, settings.max_detections)
    frames, box = sampled
    for ours, theirs in zip(
        models.predict(frames, box), detector.predict([f.image for f in frames], box), strict=True
    ):
        assert len(theirs.boxes) == len(ours.detections.boxes)
        np.testing.assert_allclose(theirs.boxes, ours.detections.boxes, atol=0.5)


def test_a_model_without_all_classes_works_with_a_warning(
    caplog: pytest.LogCaptureFixture, sampled: tuple[list[Frame], Letterbox], settings: Settings
) -> None:
    backend = TorchBackend(resolve_model("touchline-detect-rendered", "DETECTOR_MODEL"), "cpu", half=False)
    backend.names = {0: "sports ball", 1: "dog", 2: "person", 3: "bus"}
    with caplog.at_level(logging.WARNING):
        detector = Detector(backend, settings.conf_threshold, settings.max_detections)
    assert "goalkeeper, referee" in caplog.text
    frames, box = sampled
    classes = np.concatenate([d.classes for d in detector.predict([f.image for f in frames], box)])
    assert set(classes.tolist()) <= {0, 2}
    assert 2 in classes
