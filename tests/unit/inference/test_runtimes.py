"""Which runtime a model gets, and when that is refused."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference import runtimes
from services.inference.backend import Backend
from services.inference.export_cache import ExportCache
from services.inference.openvino_backend import OpenVinoBackend
from services.inference.registry import WEIGHTS, bundled_models
from services.inference.runtimes import choose_runtime, load_backend
from services.settings import Settings, load_settings

BUNDLED = WEIGHTS / "touchline-detect.pt"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own.pt").write_bytes(b"weights")
    return tmp_path / "own.pt"


def settings_for(runtime: str, folder: Path) -> Settings:
    return load_settings(runtime=runtime, model_cache_dir=str(folder / "cache"))


def test_every_bundled_model_has_an_openvino_file_made_from_it(tmp_path: Path) -> None:
    for name in bundled_models():
        path = WEIGHTS / f"{name}.pt"
        choice = choose_runtime(path, "cpu", settings_for("auto", tmp_path))
        assert choice.openvino == WEIGHTS / f"{name}.int8.xml", (
            "python -m touchline_lab.training.quantize makes it anew"
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
    assert (before.openvino, made) == (None, [])
    assert "until a worker starts" in before.reason
    choice = choose_runtime(model, "cpu", settings)
    assert choice.openvino == tmp_path / "cache" / "openvino" / "own.xml"
    assert made == [model]


def test_what_cannot_be_exported_runs_in_torch_and_says_why(model: Path, tmp_path: Path) -> None:
    choice = choose_runtime(model, "cpu", settings_for("auto", tmp_path))
    assert (choice.openvino, choice.runtime) == (None, "torch")
    assert "not a model that ultralytics loads" in choice.reason


def test_the_log_says_what_runs_a_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "services.inference.runtimes"):
        for runtime, kind in (("auto", OpenVinoBackend), ("torch", Backend)):
            settings = settings_for(runtime, tmp_path)
            assert isinstance(load_backend(choose_runtime(BUNDLED, "cpu", settings), settings, 1, 1), kind)
    assert "openvino runs it (touchline-detect.int8.xml, made from it in 8 bits" in caplog.text
    assert "torch runs it (RUNTIME=torch)" in caplog.text


def test_torch_runs_everything_when_asked_to_or_on_a_gpu(tmp_path: Path) -> None:
    assert choose_runtime(BUNDLED, "cpu", settings_for("torch", tmp_path)).openvino is None
    assert choose_runtime(BUNDLED, "cuda:0", settings_for("auto", tmp_path)).openvino is None


def test_other_formats_are_left_to_ultralytics(tmp_path: Path) -> None:
    (tmp_path / "m.torchscript").write_bytes(b"")
    choice = choose_runtime(tmp_path / "m.torchscript", "cpu", settings_for("auto", tmp_path))
    assert choice.openvino is None
    with pytest.raises(ModelNotReady, match="yolo export"):
        choose_runtime(tmp_path / "m.torchscript", "cpu", settings_for("openvino", tmp_path))


def test_an_exported_folder_is_named_like_any_model(tmp_path: Path) -> None:
    (tmp_path / "best.xml").write_text("<net/>")
    settings = settings_for("auto", tmp_path)
    assert choose_runtime(tmp_path, "cpu", settings).openvino == tmp_path / "best.xml"
    assert choose_runtime(tmp_path / "best.xml", "cpu", settings).openvino == tmp_path / "best.xml"
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
    choice = choose_runtime(BUNDLED, "cpu", settings_for("auto", tmp_path))
    assert (choice.openvino, choice.reason) == (None, "the package openvino is not installed")
    with pytest.raises(ModelNotReady, match="not installed"):
        choose_runtime(BUNDLED, "cpu", settings_for("openvino", tmp_path))


def test_a_file_made_from_other_weights_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for suffix in (".pt", ".int8.xml", ".int8.bin"):
        shutil.copyfile(BUNDLED.with_suffix(suffix), tmp_path / f"m{suffix}")
    path, settings = tmp_path / "m.pt", settings_for("auto", tmp_path)
    assert choose_runtime(path, "cpu", settings).openvino == tmp_path / "m.int8.xml"
    with path.open("ab") as file:
        file.write(b"trained on")
    monkeypatch.setattr(runtimes, "export", lambda path, cache: Path(sha256_of(path)))
    assert choose_runtime(path, "cpu", settings).openvino == Path(sha256_of(path))
    assert "touchline_lab.training.quantize" in caplog.text
