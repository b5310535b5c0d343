"""Which runtime a model gets, and when that is refused."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference import runtimes
from services.inference.bundled_models import BUNDLED_MODELS
from services.inference.export_cache import ExportCache
from services.inference.openvino_backend import OpenVinoBackend
from services.inference.runtimes import choose_runtime, load_backend
from services.inference.torch_backend import TorchBackend
from services.settings import Settings, load_settings

DETECTOR = BUNDLED_MODELS["touchline-detect"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own.pt").write_bytes(b"weights")
    return tmp_path / "own.pt"


def settings_for(runtime: str, folder: Path) -> Settings:
    return load_settings(runtime=runtime, model_cache_dir=str(folder / "cache"))


def test_every_bundled_model_has_an_openvino_file_made_from_it(tmp_path: Path) -> None:
    for path in BUNDLED_MODELS.values():
        choice = choose_runtime(path, "cpu", settings_for("auto", tmp_path))
        assert choice.file == path.with_suffix(".int8.xml"), (
            "python -m touchline_lab.training.quantize makes it again"
        )


def test_a_model_is_exported_once_it_may_be(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def export(path: Path, cache: ExportCache) -> Path:
        made.append(path)
        return cache.folder / "own.xml"

    monkeypatch.setattr(runtimes, "export", export)
    settings = settings_for("auto", tmp_path)
    before = choose_runtime(model, "cpu", settings, make=False)
    assert (before.runtime, made) == ("torch", [])
    assert "a worker exports it" in before.reason
    choice = choose_runtime(model, "cpu", settings)
    assert (choice.runtime, choice.file) == ("openvino", tmp_path / "cache" / "openvino" / "own.xml")
    assert made == [model]


def test_what_cannot_be_exported_runs_in_torch_and_says_why(model: Path, tmp_path: Path) -> None:
    choice = choose_runtime(model, "cpu", settings_for("auto", tmp_path))
    assert (choice.runtime, choice.file) == ("torch", model)
    assert "not a model that ultralytics loads" in choice.reason


def test_the_log_says_what_runs_a_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "services.inference.runtimes"):
        for runtime, kind in (("auto", OpenVinoBackend), ("torch", TorchBackend)):
            settings = settings_for(runtime, tmp_path)
            assert isinstance(load_backend(choose_runtime(DETECTOR, "cpu", settings), settings, 1, 1), kind)
    assert "openvino runs it (touchline-detect.int8.xml, its quantised form" in caplog.text
    assert "torch runs it (RUNTIME=torch)" in caplog.text


def test_torch_runs_everything_when_asked_to_or_on_a_gpu(tmp_path: Path) -> None:
    assert choose_runtime(DETECTOR, "cpu", settings_for("torch", tmp_path)).runtime == "torch"
    assert choose_runtime(DETECTOR, "cuda:0", settings_for("auto", tmp_path)).runtime == "torch"


def test_other_formats_are_left_to_ultralytics(tmp_path: Path) -> None:
    (tmp_path / "m.torchscript").write_bytes(b"")
    choice = choose_runtime(tmp_path / "m.torchscript", "cpu", settings_for("auto", tmp_path))
    assert choice.runtime == "torch"
    with pytest.raises(ModelNotReady, match="yolo export"):
        choose_runtime(tmp_path / "m.torchscript", "cpu", settings_for("openvino", tmp_path))


def test_an_exported_folder_is_named_like_any_model(tmp_path: Path) -> None:
    (tmp_path / "best.xml").write_text("<net/>")
    settings = settings_for("auto", tmp_path)
    assert choose_runtime(tmp_path, "cpu", settings).file == tmp_path / "best.xml"
    assert choose_runtime(tmp_path / "best.xml", "cpu", settings).file == tmp_path / "best.xml"
    with pytest.raises(ModelNotReady, match="DEVICE=cpu"):
        choose_runtime(tmp_path, "cuda:0", settings)


@pytest.mark.parametrize(
    ("device", "message"), [("cpu", "RUNTIME=openvino: .*own.pt"), ("cuda:0", "DEVICE=cpu")]
)
def test_openvino_that_cannot_be_had_stops_the_start(
    model: Path, tmp_path: Path, device: str, message: str
) -> None:
    with pytest.raises(ModelNotReady, match=message):
        choose_runtime(model, device, settings_for("openvino", tmp_path))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "has_openvino", lambda: False)
    choice = choose_runtime(DETECTOR, "cpu", settings_for("auto", tmp_path))
    assert (choice.runtime, choice.reason) == ("torch", "the package openvino is not installed")
    with pytest.raises(ModelNotReady, match="not installed"):
        choose_runtime(DETECTOR, "cpu", settings_for("openvino", tmp_path))


def test_a_file_made_from_other_weights_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for suffix in (".pt", ".int8.xml", ".int8.bin"):
        shutil.copyfile(DETECTOR.with_suffix(suffix), tmp_path / f"m{suffix}")
    path, settings = tmp_path / "m.pt", settings_for("auto", tmp_path)
    assert choose_runtime(path, "cpu", settings).file == tmp_path / "m.int8.xml"
    with path.open("ab") as file:
        file.write(b"trained on")
    monkeypatch.setattr(runtimes, "export", lambda path, cache: Path(sha256_of(path)))
    assert choose_runtime(path, "cpu", settings).file == Path(sha256_of(path))
    assert "touchline_lab.training.quantize" in caplog.text
