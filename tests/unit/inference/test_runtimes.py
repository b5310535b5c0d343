"""Which runtime a model gets, and when that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.errors import ModelNotReady
from services.inference import runtimes
from services.inference.registry import WEIGHTS, bundled_models
from services.inference.runtimes import checksum, load_backend, openvino_file
from services.settings import load_settings


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own.pt").write_bytes(b"weights")
    return tmp_path / "own.pt"


def test_every_bundled_model_has_an_openvino_file_made_from_it() -> None:
    for name in bundled_models():
        path = WEIGHTS / f"{name}.pt"
        file = openvino_file(path, "cpu", "auto")
        assert file is not None
        assert checksum(path) in file.read_text(), "python -m training.quantize makes it anew"


def test_torch_runs_what_has_no_openvino_file(model: Path) -> None:
    assert openvino_file(model, "cpu", "auto") is None


def test_torch_runs_everything_when_asked_to_or_on_a_gpu() -> None:
    bundled = WEIGHTS / "touchline-detect.pt"
    assert openvino_file(bundled, "cpu", "torch") is None
    assert openvino_file(bundled, "cuda:0", "auto") is None


def test_an_exported_folder_is_named_like_any_model(tmp_path: Path) -> None:
    (tmp_path / "best.xml").write_text("<net/>")
    assert openvino_file(tmp_path, "cpu", "auto") == tmp_path / "best.xml"
    assert openvino_file(tmp_path / "best.xml", "cpu", "auto") == tmp_path / "best.xml"


@pytest.mark.parametrize(
    ("device", "message"), [("cpu", "yolo export"), ("cuda:0", "DEVICE=cpu")], ids=["no file", "device"]
)
def test_openvino_that_cannot_be_had_stops_the_start(model: Path, device: str, message: str) -> None:
    with pytest.raises(ModelNotReady, match=message):
        openvino_file(model, device, "openvino")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "has_openvino", lambda: False)
    bundled = WEIGHTS / "touchline-detect.pt"
    assert openvino_file(bundled, "cpu", "auto") is None
    with pytest.raises(ModelNotReady, match="not installed"):
        openvino_file(bundled, "cpu", "openvino")


def test_a_file_made_from_other_weights_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in (".pt", ".int8.xml", ".int8.bin"):
        (tmp_path / f"m{suffix}").write_bytes((WEIGHTS / f"touchline-detect{suffix}").read_bytes())
    used: list[Any] = []
    monkeypatch.setattr(runtimes, "Backend", lambda path, device, half: used.append(path))
    load_backend(tmp_path / "m.pt", "cpu", load_settings(), 1, 1)
    assert used == []
    with (tmp_path / "m.pt").open("ab") as file:
        file.write(b"trained on")
    load_backend(tmp_path / "m.pt", "cpu", load_settings(), 1, 1)
    assert used == [tmp_path / "m.pt"]
    with pytest.raises(ModelNotReady, match="training.quantize"):
        load_backend(tmp_path / "m.pt", "cpu", load_settings(runtime="openvino"), 1, 1)
