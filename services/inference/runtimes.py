"""Which runtime a model runs in."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.backend import AnyBackend, Backend
from services.inference.export_cache import ExportCache
from services.inference.hub_store import cache_folder
from services.inference.openvino_backend import OpenVinoBackend, source_checksum
from services.inference.openvino_export import export, find_export
from services.inference.tensorrt_engine import tensorrt_file
from services.settings import Settings

log = logging.getLogger(__name__)

QUANTISED = ".int8.xml"
"""What `touchline_lab.training.quantize` writes beside a model."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and what runs it.

    Attributes:
        path: The model as the settings name it.
        device: The torch device that was chosen.
        openvino: The OpenVINO file that stands for it; None where torch, or what ultralytics has for its
            format, runs it.
        reason: Why, for people.
        engine: The TensorRT engine that stands for it, or None.
    """

    path: Path
    device: str
    openvino: Path | None
    reason: str
    engine: Path | None = None

    @property
    def runtime(self) -> str:
        """`openvino`, `tensorrt` or `torch`."""
        if self.openvino is not None:
            return "openvino"
        return "torch" if self.engine is None else "tensorrt"


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def choose_runtime(path: Path, device: str, settings: Settings, *, make: bool = True) -> Choice:
    """Decide what runs a model; a .pt on a CPU is exported to OpenVINO the first time.

    Args:
        path: The model as the settings name it.
        device: The torch device that was chosen.
        settings: RUNTIME and MODEL_CACHE_DIR.
        make: Export what is not exported yet; without, the choice is what is there now.

    Raises:
        ModelNotReady: OpenVINO was asked for and cannot be had.
    """
    wanted = settings.runtime
    own = next(iter(sorted(path.glob("*.xml"))), None) if path.is_dir() else None
    if path.suffix == ".xml":
        own = path
    if device != "cpu":
        if own is not None or wanted == "openvino":
            raise ModelNotReady(f"{path}: OpenVINO runs on DEVICE=cpu, not on {device}")
        engine = tensorrt_file(
            path, device, settings if make else settings.model_copy(update={"runtime": "auto"})
        )
        return Choice(path, device, None, f"DEVICE is {device}" if engine is None else str(engine), engine)
    if wanted == "tensorrt":
        raise ModelNotReady(f"RUNTIME=tensorrt runs on NVIDIA GPUs, not on {device}")
    if wanted == "torch":
        return Choice(path, device, None, "RUNTIME=torch")
    if not has_openvino():
        if wanted == "openvino":
            raise ModelNotReady("RUNTIME=openvino: the package openvino is not installed")
        return Choice(path, device, None, "the package openvino is not installed")
    if own is not None:
        return Choice(path, device, own, "it is an OpenVINO model")
    quantised = path.with_suffix(QUANTISED)
    if quantised.is_file():
        if source_checksum(quantised) in (None, sha256_of(path)):
            return Choice(
                path, device, quantised, f"{quantised.name}, made from it in 8 bits, lies beside it"
            )
        log.warning(
            "%s was made from another %s and is not used; "
            "`python -m touchline_lab.training.quantize` makes it again",
            quantised,
            path.name,
        )
    if path.suffix != ".pt":
        if wanted == "openvino":
            raise ModelNotReady(
                f"RUNTIME=openvino: {path} is no .pt, which could be exported; "
                f"`yolo export model=... format=openvino dynamic=True` makes one: name its folder"
            )
        return Choice(path, device, None, "only a .pt is exported to OpenVINO")
    return _of_export(path, device, settings, make)


def _of_export(path: Path, device: str, settings: Settings, make: bool) -> Choice:
    cache = ExportCache(cache_folder(settings) / "openvino")
    try:
        found = export(path, cache) if make else find_export(path, cache)
    except ModelNotReady as error:
        if settings.runtime == "openvino":
            raise ModelNotReady(f"RUNTIME=openvino: {error.message}") from error
        return Choice(path, device, None, f"OpenVINO cannot: {error.message}")
    if found is None:
        return Choice(path, device, None, "until a worker starts, which exports it to OpenVINO")
    return Choice(path, device, found, f"exported from it: {found}")


def load_backend(choice: Choice, settings: Settings, slots: int, threads: int) -> AnyBackend:
    """Load a model into the runtime that was chosen for it.

    Args:
        choice: The model and its runtime.
        settings: HALF.
        slots: Batches that run at once, where the runtime can.
        threads: CPU threads of one batch.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    log.info("%s: %s runs it (%s)", choice.path.name, choice.runtime, choice.reason)
    if choice.openvino is None:
        half = settings.half and choice.device.startswith("cuda")
        return Backend(choice.engine or choice.path, choice.device, half)
    return OpenVinoBackend(choice.openvino, slots, threads)
