"""Which runtime a model runs in."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from pathlib import Path

from services.errors import ModelNotReady
from services.inference.backend import AnyBackend, Backend
from services.inference.openvino_backend import OpenVinoBackend
from services.inference.tensorrt_engine import tensorrt_file
from services.settings import Settings

log = logging.getLogger(__name__)

QUANTISED = ".int8.xml"
"""What `training.quantize` writes beside a model."""


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def openvino_file(path: Path, device: str, runtime: str) -> Path | None:
    """The OpenVINO file that stands for a model, or None when torch runs it.

    Args:
        path: The model as the settings name it.
        device: The torch device that was chosen.
        runtime: The setting RUNTIME.

    Raises:
        ModelNotReady: OpenVINO was asked for and cannot be had.
    """
    own = next(iter(sorted(path.glob("*.xml"))), None) if path.is_dir() else None
    if path.suffix == ".xml":
        own = path
    quantised = path.with_suffix(QUANTISED)
    found = own or (quantised if quantised.is_file() else None)
    if runtime in ("torch", "tensorrt") or device != "cpu":
        if own is not None and device != "cpu":
            raise ModelNotReady(f"{path}: OpenVINO models run on DEVICE=cpu, not on {device}")
        if runtime == "openvino":
            raise ModelNotReady(f"RUNTIME=openvino runs on DEVICE=cpu, not on {device}")
        return None
    if not has_openvino():
        if runtime == "openvino":
            raise ModelNotReady("RUNTIME=openvino: the package openvino is not installed")
        return None
    if found is None and runtime == "openvino":
        raise ModelNotReady(
            f"RUNTIME=openvino: there is no OpenVINO model beside {path}; "
            f"`yolo export model={path} format=openvino dynamic=True` makes one: name its folder"
        )
    return found


def load_backend(path: Path, device: str, settings: Settings, lanes: int, threads: int) -> AnyBackend:
    """Load a model into the runtime that suits it.

    Args:
        path: The model.
        device: The torch device that was chosen.
        settings: RUNTIME and HALF.
        lanes: Batches that run at once, where the runtime can.
        threads: CPU threads of one batch.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    file = openvino_file(path, device, settings.runtime)
    if file is None:
        engine = tensorrt_file(path, device, settings)
        if engine is not None:
            log.info("%s runs as a TensorRT engine: %s", path.name, engine)
        return Backend(engine or path, device, settings.half and device.startswith("cuda"))
    backend = OpenVinoBackend(file, lanes, threads)
    if path.is_file() and backend.source_sha256 not in (None, checksum(path)) and file != path:
        message = f"{file} was made from another {path.name}; `python -m training.quantize` makes it anew"
        if settings.runtime == "openvino":
            raise ModelNotReady(message)
        log.warning("%s; torch runs it until then", message)
        return Backend(path, device, half=False)
    return backend


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
