"""TensorRT up to the device call: which engine, made when, kept where. No GPU is needed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from services.errors import ModelNotReady
from services.inference import runtimes, tensorrt_engine, tensorrt_export, torch_backend
from services.inference.bundled_models import WEIGHTS
from services.inference.export_cache import ExportCache
from services.inference.tensorrt_engine import (
    ENGINE,
    device_facts,
    driver_version,
    engine_key,
    run_export,
    tensorrt_file,
)
from services.settings import Settings, load_settings
from services.settings.cautions import cautions

FACTS = {
    "device": "Some GPU",
    "driver": "580.1",
    "tensorrt": "10.9",
    "ultralytics": "8.4",
    "capability": "8.9",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "own.pt").write_bytes(b"weights")
    return tmp_path / "own.pt"


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **values: load_settings(model_cache_dir=str(tmp_path / "cache"), **values)


class Exporter:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, path: Path, into: Path, device: str, settings: Settings) -> None:
        self.calls.append((path.name, device))
        (into / ENGINE).write_bytes(b"engine")


def find(path: Path, device: str, settings: Settings, export: Any = None) -> Path | None:
    return tensorrt_file(path, device, settings, lambda device: FACTS, export)


def test_it_is_made_once_and_used_by_auto_from_then_on(
    model: Path, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    export = Exporter()
    assert find(model, "cuda:0", make_settings(), export) is None
    made = find(model, "cuda:1", make_settings(runtime="tensorrt"), export)
    assert made is not None
    assert made.read_bytes() == b"engine"
    assert made.is_relative_to(tmp_path / "cache" / "tensorrt")
    # another device of the same kind takes it, too
    assert find(model, "cuda:0", make_settings(runtime="tensorrt"), export) == made
    assert find(model, "cuda:0", make_settings(), export) == made
    assert find(model, "cuda:0", make_settings(runtime="torch"), export) is None
    assert export.calls == [("own.pt", "cuda:1")]


@pytest.mark.parametrize("change", [{"img_size": 640}, {"batch_size": 64}, {"half": False}])
def test_settings_that_an_engine_depends_on(
    model: Path, make_settings: Callable[..., Settings], change: dict[str, Any]
) -> None:
    assert engine_key(model, make_settings(), FACTS) != engine_key(model, make_settings(**change), FACTS)


@pytest.mark.parametrize("fact", FACTS)
def test_device_driver_and_versions_that_it_depends_on(
    model: Path, make_settings: Callable[..., Settings], fact: str
) -> None:
    other = FACTS | {fact: "other"}
    assert engine_key(model, make_settings(), FACTS) != engine_key(model, make_settings(), other)


def test_settings_that_it_does_not_depend_on(model: Path, make_settings: Callable[..., Settings]) -> None:
    changed = make_settings(conf_threshold=0.5, frame_stride=3)
    assert engine_key(model, make_settings(), FACTS) == engine_key(model, changed, FACTS)


def test_an_export_without_an_engine_is_no_entry(model: Path, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(runtime="tensorrt")
    with pytest.raises(ModelNotReady, match="left no engine"):
        find(model, "cuda:0", settings, lambda *_: None)
    assert (
        ExportCache(Path(settings.model_cache_dir) / "tensorrt").find(engine_key(model, settings, FACTS))
        is None
    )


def test_what_cannot_be_had_stops_the_start_only_when_it_was_asked_for(
    model: Path, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    onnx = tmp_path / "own.onnx"
    onnx.write_bytes(b"")
    for path, device, message in ((model, "cpu", "NVIDIA GPUs"), (onnx, "cuda:0", r"\.pt file")):
        assert find(path, device, make_settings()) is None
        with pytest.raises(ModelNotReady, match=message):
            find(path, device, make_settings(runtime="tensorrt"))
    engine = tmp_path / "own.engine"
    assert find(engine, "cuda:0", make_settings(runtime="tensorrt")) is None


def test_without_the_packages(
    model: Path, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert tensorrt_file(model, "cuda:0", make_settings()) is None
    with pytest.raises(ModelNotReady, match=r"touchline\[tensorrt\]"):
        tensorrt_file(model, "cuda:0", make_settings(runtime="tensorrt"))


def test_facts_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Some GPU at {device}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 9))
    monkeypatch.setattr(tensorrt_engine, "driver_version", lambda: "580.1")
    facts = device_facts("cuda:1")
    assert facts["device"] == "Some GPU at cuda:1"
    assert (facts["capability"], facts["driver"], facts["torch"]) == ("8.9", "580.1", torch.__version__)
    assert {"tensorrt", "ultralytics", "cuda"} <= set(facts)
    assert facts["ultralytics"] != "unknown"


def test_the_drivers_version(tmp_path: Path) -> None:
    file = tmp_path / "version"
    assert driver_version(file) == "unknown"
    file.write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\nGCC version: 13\n"
    )
    assert driver_version(file) == "NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27"


def test_the_export_asks_ultralytics_for_what_is_wanted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Yolo:
        def __init__(self, path: Path) -> None:
            self.path = path
            assert path != model
            assert path.read_bytes() == b"weights"

        def export(self, **words: Any) -> str:
            asked.update(words)
            written = self.path.with_suffix(".engine")
            written.write_bytes(b"engine")
            return str(written)

    monkeypatch.setattr(tensorrt_export, "_yolo", Yolo)
    into = tmp_path / "entry"
    into.mkdir()
    tensorrt_export.export(model, into / ENGINE, "cuda:3", (224, 384), 16, half=True)
    assert [path.name for path in into.iterdir()] == [ENGINE]
    assert (asked["format"], asked["device"], asked["imgsz"]) == ("engine", "3", [224, 384])
    assert (asked["batch"], asked["dynamic"]) == (16, True)
    assert asked.get("quantize") == 16 or asked.get("half") is True


def test_a_failed_export_says_why(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """The real command: ultralytics refuses to make an engine on a machine without CUDA."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(
        ModelNotReady, match=r"(?s)no engine could be made of .*touchline-detect\.pt on cuda:0:.*CUDA"
    ):
        run_export(WEIGHTS / "touchline-detect.pt", tmp_path, "cuda:0", make_settings())
    assert list(tmp_path.iterdir()) == []


def test_an_export_ends_with_who_started_it(tmp_path: Path) -> None:
    code = (
        "import services.inference.tensorrt_export as e, threading, time;"
        "threading.Thread(target=e._end_with_parent, daemon=True).start();"
        "print(1, flush=True); time.sleep(60)"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(30) == 1


def test_the_loader_gets_the_engine(
    model: Path, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: list[tuple[Path, str, bool]] = []
    monkeypatch.setattr(
        runtimes, "TorchBackend", lambda path, device, half: used.append((path, device, half))
    )
    monkeypatch.setattr(runtimes, "tensorrt_file", lambda path, device, settings, make: tmp_path / ENGINE)
    settings = make_settings()
    choice = runtimes.choose_runtime(model, "cuda:0", settings)
    assert (choice.runtime, choice.reason) == ("tensorrt", str(tmp_path / ENGINE))
    runtimes.load_backend(choice, settings, 1, 1)
    assert used == [(tmp_path / ENGINE, "cuda:0", True)]


def test_tensorrt_on_a_cpu_stops_the_start(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(ModelNotReady, match="NVIDIA GPUs"):
        runtimes.choose_runtime(WEIGHTS / "touchline-detect.pt", "cpu", make_settings(runtime="tensorrt"))


@pytest.mark.parametrize(("name", "contiguous"), [("m.engine", True), ("m.pt", False)])
def test_an_engine_is_given_pictures_with_their_channels_first(
    name: str, contiguous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is handed an address: the order in memory has to be that of the shape."""
    seen: list[torch.Tensor] = []

    class AutoBackend:
        names = {0: "ball"}  # noqa: RUF012

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def eval(self) -> None: ...

        def __call__(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(batch)
            return batch

    monkeypatch.setitem(sys.modules, "ultralytics.nn.autobackend", SimpleNamespace(AutoBackend=AutoBackend))
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    torch_backend.TorchBackend(Path(name), "cpu", half=False).forward([picture, picture])
    assert seen[0].shape == (2, 3, 64, 96)
    assert seen[0].is_contiguous() is contiguous
    assert torch.allclose(seen[0][1, 2] * 255, torch.from_numpy(picture[:, :, 2]).float())


def test_a_start_that_may_be_too_short_is_said() -> None:
    assert any("WORKER_START_TIMEOUT_S" in text for text in cautions(load_settings(runtime="tensorrt")))
    enough = load_settings(runtime="tensorrt", worker_start_timeout_s=1800)
    assert not any("WORKER_START_TIMEOUT_S" in text for text in cautions(enough))
