"""A user's .pt on a CPU: exported to OpenVINO at the start, compared, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ultralytics
import yaml

from services.errors import ModelNotReady
from services.inference import export_comparison, openvino_export
from services.inference.export_cache import ExportCache
from services.inference.export_comparison import compare, disagreement
from services.inference.models import load_models
from services.inference.openvino_backend import OpenVinoBackend
from services.inference.openvino_export import export, find_export
from services.inference.torch_backend import TorchBackend
from services.settings import load_settings
from services.video.letterbox import Frame, Image, Letterbox

pytestmark = pytest.mark.integration
ARCHITECTURES = Path(ultralytics.__file__).parent / "cfg/models/11"


def network(folder: Path, name: str, **changes: object) -> Path:
    """A .pt of YOLO11's smallest size, with random weights."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(3)
    plan = yaml.safe_load((ARCHITECTURES / name).read_text()) | {"scale": "n"} | changes
    (folder / name).write_text(yaml.safe_dump(plan))
    YOLO(str(folder / name), task="pose" if "pose" in name else "detect").save(folder / f"{name}.pt")
    return folder / f"{name}.pt"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("detector"), "yolo11.yaml", nc=3)


@pytest.fixture(scope="module")
def pose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("pose"), "yolo11-pose.yaml", nc=1, kpt_shape=[32, 3])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ExportCache:
    return ExportCache(tmp_path_factory.mktemp("cache") / "openvino")


def noise(count: int, height: int, width: int) -> list[Image]:
    return list(np.random.default_rng(2).integers(0, 255, (count, height, width, 3), np.uint8))


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_an_export_gives_what_torch_gives_for_any_batch_and_size(
    kind: str, cache: ExportCache, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    assert find_export(path, cache) is None
    file = export(path, cache)
    changed = file.stat().st_mtime_ns
    assert find_export(path, cache) == export(path, cache) == file
    assert file.stat().st_mtime_ns == changed
    ours, theirs = TorchBackend(path, "cpu", half=False), OpenVinoBackend(file, slots=1, threads=1)
    assert (theirs.names, theirs.task, theirs.keypoint_shape, theirs.end2end) == (
        ours.names,
        ours.task,
        ours.keypoint_shape,
        ours.end2end,
    )
    for count, height, width in ((1, 224, 384), (3, 384, 640)):
        pictures = noise(count, height, width)
        one, other = ours.forward(pictures), theirs.forward(pictures)
        assert one.shape == other.shape
        for ours_one, theirs_one in zip(one, other, strict=True):
            assert disagreement(ours_one, theirs_one, len(ours.names), end2end=False) < 1


def test_a_worker_with_own_models_runs_them_in_openvino(
    detector: Path, pose: Path, cache: ExportCache, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(
        device="cpu",
        detector_model=str(detector),
        pitch_model=str(pose),
        model_cache_dir=str(cache.folder.parent),
        class_map="0=ball,1=player",
    )
    with caplog.at_level("INFO", "services.inference"):
        models = load_models(settings)
    assert caplog.text.count("openvino runs it (exported from it") == 2
    box = Letterbox.fit(1280, 720, settings.img_size)
    frames = [Frame(i, image) for i, image in enumerate(noise(2, box.input_height, box.input_width))]
    results = models.predict(frames, box)
    assert [result.keypoints.points.shape for result in results if result.keypoints] == [(32, 2)] * 2


class Shifted:
    """A model whose boxes lie beside those of another."""

    def __init__(self, backend: TorchBackend, pixels: float) -> None:
        self.names, self.task = backend.names, backend.task
        self.keypoint_shape, self.end2end = backend.keypoint_shape, backend.end2end
        self._backend = backend
        self._pixels = pixels

    def forward(self, images: list[Image]) -> np.ndarray:
        out: np.ndarray = self._backend.forward(images)
        out[:, 0] += self._pixels
        return out


@pytest.mark.parametrize("pixels", [10.0, float("nan")])
def test_an_export_that_finds_something_else_is_refused(detector: Path, pixels: float) -> None:
    backend = TorchBackend(detector, "cpu", half=False)
    compare(backend, Shifted(backend, 0.5))
    with pytest.raises(ModelNotReady, match="something else"):
        compare(backend, Shifted(backend, pixels))


def test_a_refused_export_is_remembered_and_not_used(
    detector: Path, cache: ExportCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = export(detector, cache)
    monkeypatch.setattr(openvino_export, "_ultralytics_export", lambda path, folder: file)
    monkeypatch.setattr(export_comparison, "SCORE_TOLERANCE", 1e-12)
    other = ExportCache(tmp_path / "cache")
    with pytest.raises(ModelNotReady, match="something else"):
        export(detector, other)
    monkeypatch.delattr(openvino_export, "_ultralytics_export")
    with pytest.raises(ModelNotReady, match=r"something else.*found earlier; see .*refused\.txt"):
        export(detector, other)
    with pytest.raises(ModelNotReady, match="found earlier"):
        find_export(detector, other)
    assert not list(other.folder.rglob("*.xml"))


def test_the_order_of_boxes_with_built_in_suppression_means_nothing() -> None:
    rng = np.random.default_rng(4)
    one = np.concatenate([rng.uniform(0, 400, (300, 4)), rng.uniform(0, 1, (300, 2))], axis=1).astype(
        np.float32
    )
    other = rng.permutation(one)
    assert disagreement(one, other, 4, end2end=True) == 0
    other[np.argmax(other[:, 4]), 0] += 50
    assert disagreement(one, other, 4, end2end=True) > 1
