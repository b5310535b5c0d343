"""Which runtime a model runs in."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.backend import Backend
from services.inference.export_cache import ExportCache
from services.inference.openvino_backend import OpenVinoBackend, source_checksum
from services.inference.openvino_export import export, find_export
from services.inference.tensorrt_engine import tensorrt_file
from services.inference.torch_backend import TorchBackend
from services.settings import Settings

log = logging.getLogger(__name__)

QUANTISED: Final = ".int8.xml"
"""Suffix of the quantised model that `touchline_lab.training.quantize` writes beside a model."""


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A model and what runs it.

    Attributes:
        path: The model as the settings name it.
        runtime: What runs it; `torch` stands for every library that ultralytics calls.
        file: What the runtime loads: the model itself, or what was made from it.
        device: The torch device that was chosen.
        reason: Why, for people.
    """

    path: Path
    runtime: Literal["openvino", "tensorrt", "torch"]
    file: Path
    device: str
    reason: str


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def choose_runtime(path: Path, device: str, settings: Settings, *, make: bool = True) -> RuntimeChoice:
    """Decide what runs a model.

    Args:
        path: The model as the settings name it.
        device: The torch device that was chosen.
        settings: RUNTIME and MODEL_CACHE_DIR.
        make: Export what is not exported yet, which takes tens of seconds; otherwise only look.

    Raises:
        ModelNotReady: The runtime that the settings ask for cannot run it.
    """
    if device != "cpu":
        if _openvino_file(path) is not None or settings.runtime == "openvino":
            raise ModelNotReady(f"{path}: OpenVINO runs on DEVICE=cpu, not on {device}")
        engine = tensorrt_file(path, device, settings, make=make)
        if engine is not None:
            return RuntimeChoice(path, "tensorrt", engine, device, str(engine))
        return RuntimeChoice(path, "torch", path, device, f"DEVICE is {device}")
    if settings.runtime == "tensorrt":
        raise ModelNotReady(f"RUNTIME=tensorrt runs on NVIDIA GPUs, not on {device}")
    if settings.runtime == "torch":
        return RuntimeChoice(path, "torch", path, "cpu", "RUNTIME=torch")
    try:
        return _openvino_choice(path, settings, make)
    except ModelNotReady as error:
        if settings.runtime == "openvino":
            raise ModelNotReady(f"RUNTIME=openvino: {error.message}") from error
        return RuntimeChoice(path, "torch", path, "cpu", error.message)


def _openvino_choice(path: Path, settings: Settings, make: bool) -> RuntimeChoice:
    if not has_openvino():
        raise ModelNotReady("the package openvino is not installed")
    own, quantised = _openvino_file(path), path.with_suffix(QUANTISED)
    if own is not None:
        return RuntimeChoice(path, "openvino", own, "cpu", "it is an OpenVINO model")
    if quantised.is_file():
        if source_checksum(quantised) in (None, sha256_of(path)):
            reason = f"{quantised.name}, its quantised form, is beside it"
            return RuntimeChoice(path, "openvino", quantised, "cpu", reason)
        log.warning(
            "%s was made from another %s and is not used; "
            "`python -m touchline_lab.training.quantize` makes it again",
            quantised,
            path.name,
        )
    if path.suffix != ".pt":
        raise ModelNotReady(
            f"{path.name} is not a .pt, and only these are exported to OpenVINO; "
            "`yolo export model=... format=openvino dynamic=True` makes a folder that can be named instead"
        )
    cache = ExportCache(settings.model_cache_folder / "openvino")
    exported = export(path, cache) if make else find_export(path, cache)
    if exported is None:
        return RuntimeChoice(path, "torch", path, "cpu", "a worker exports it to OpenVINO when it starts")
    return RuntimeChoice(path, "openvino", exported, "cpu", f"exported from it: {exported}")


def _openvino_file(path: Path) -> Path | None:
    """The OpenVINO model that a path names, which may be the folder that ultralytics exports to."""
    if path.is_dir():
        return next(iter(sorted(path.glob("*.xml"))), None)
    return path if path.suffix == ".xml" else None


def load_backend(choice: RuntimeChoice, settings: Settings, slots: int, threads: int) -> Backend:
    """Load a model into the runtime that was chosen for it.

    Args:
        choice: The model and its runtime.
        settings: HALF.
        slots: Batches that run at the same time, where the runtime can.
        threads: CPU threads of one batch.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    log.info("%s: %s runs it (%s)", choice.path.name, choice.runtime, choice.reason)
    if choice.runtime == "openvino":
        return OpenVinoBackend(choice.file, slots, threads)
    return TorchBackend(choice.file, choice.device, settings.half and choice.device.startswith("cuda"))
