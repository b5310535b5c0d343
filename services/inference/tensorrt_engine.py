"""TensorRT engines: which one a model needs on a device, and making it. Not run on a GPU yet.

An engine fits one device, driver and version of TensorRT only, and takes minutes to make, so it is kept in
the cache of exported models under all of these.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from services.errors import ModelNotReady
from services.inference.export_cache import ExportCache, ExportKey
from services.settings import Settings
from services.video.letterbox import Letterbox

log = logging.getLogger(__name__)

ENGINE: Final = "model.engine"
"""The file in an entry of the cache."""
PACKAGES: Final = ("tensorrt", "onnx")
"""What making an engine needs, as it is imported."""
USUAL_SOURCE: Final = (1280, 720)
"""Width and height in pixels of the clips that an engine is tuned for; it takes some up to twice as large."""
LAST_LINES: Final = 8
"""Lines of a failed export's output that the error shows."""
_DRIVER: Final = Path("/proc/driver/nvidia/version")

Facts = Mapping[str, str]
Export = Callable[[Path, Path, str, Settings], None]
"""Writes `ENGINE` into a folder: (model, folder, device, settings)."""


def tensorrt_file(
    path: Path,
    device: str,
    settings: Settings,
    facts: Callable[[str], Facts] | None = None,
    export: Export | None = None,
    *,
    make: bool = True,
) -> Path | None:
    """The engine that stands for a model, or None when torch runs it.

    With RUNTIME=tensorrt it is made when it is not there; with RUNTIME=auto one that is there is used.

    Args:
        path: The model as it was resolved.
        device: The torch device that was chosen.
        settings: RUNTIME, HALF, IMG_SIZE, BATCH_SIZE and MODEL_CACHE_DIR.
        facts: Says what an engine on a device depends on; by default `device_facts`.
        export: Makes an engine; by default `run_export`.
        make: Whether one may be made now.

    Raises:
        ModelNotReady: TensorRT was asked for and cannot run the model.
    """
    if settings.runtime not in ("auto", "tensorrt") or path.suffix == ".engine":
        return None
    obstacle = _obstacle(path, device, ask_packages=facts is None)
    if obstacle is not None:
        if settings.runtime == "tensorrt":
            raise ModelNotReady(obstacle)
        return None
    cache = ExportCache(settings.model_cache_folder / "tensorrt")
    key = engine_key(path, settings, (facts or device_facts)(device))
    if settings.runtime != "tensorrt" or not make:
        entry = cache.find(key)
        return None if entry is None else entry / ENGINE

    def make_entry(into: Path) -> None:
        log.warning("making a TensorRT engine of %s for %s: this takes minutes, once", path, device)
        (export or run_export)(path, into, device, settings)
        if not (into / ENGINE).is_file():
            raise ModelNotReady(f"RUNTIME=tensorrt: the export of {path} left no engine")

    return cache.get(key, make_entry) / ENGINE


def _obstacle(path: Path, device: str, ask_packages: bool) -> str | None:
    """Why TensorRT cannot run a model, or None."""
    if not device.startswith("cuda"):
        return f"RUNTIME=tensorrt runs on NVIDIA GPUs, not on {device}"
    if path.suffix != ".pt":
        return f"RUNTIME=tensorrt: an engine is made from a .pt file, not from {path}"
    missing = [name for name in PACKAGES if ask_packages and importlib.util.find_spec(name) is None]
    if missing:
        return f"RUNTIME=tensorrt: not installed: {', '.join(missing)}; `pip install 'touchline[tensorrt]'`"
    return None


def engine_key(path: Path, settings: Settings, facts: Facts) -> ExportKey:
    """The key of the engine that a model needs under some settings on some device."""
    height, width = _picture_size(settings)
    wanted = {
        "picture": f"{height}x{width}",
        "batch": settings.batch_size,
        "precision": "fp16" if settings.half else "fp32",
        "shapes": "dynamic",
    }
    return ExportKey.of(path, "engine", {**facts, **wanted})


def device_facts(device: str) -> Facts:
    """What an engine depends on besides model and settings: device, driver and versions."""
    import torch

    major, minor = torch.cuda.get_device_capability(device)
    return {
        "device": torch.cuda.get_device_name(device),
        "capability": f"{major}.{minor}",
        "driver": driver_version(),
        "cuda": str(torch.version.cuda),
        "torch": torch.__version__,
        "tensorrt": _version("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
        "ultralytics": _version("ultralytics-opencv-headless", "ultralytics"),
    }


def driver_version(file: Path = _DRIVER) -> str:
    """The version line of the NVIDIA driver; `unknown` where the kernel module does not tell."""
    try:
        return file.read_text().splitlines()[0].removeprefix("NVRM version:").strip()
    except (OSError, IndexError):
        return "unknown"


def run_export(path: Path, into: Path, device: str, settings: Settings) -> None:
    """Make an engine in another process, so that neither its memory nor its settings of torch stay.

    Raises:
        ModelNotReady: It could not be made; the text has the last lines that were printed.
    """
    height, width = _picture_size(settings)
    words = [str(path), str(into / ENGINE), device, str(height), str(width), str(settings.batch_size)]
    command = [sys.executable, "-P", "-m", "services.inference.tensorrt_export", *words]
    process = subprocess.Popen(
        [*command, "fp16" if settings.half else "fp32"],
        # the other end closes when this process ends, however that happens, and with it ends the export
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode:
        last = "\n".join(output.splitlines()[-LAST_LINES:])
        raise ModelNotReady(f"RUNTIME=tensorrt: no engine could be made of {path} on {device}:\n{last}")


def _picture_size(settings: Settings) -> tuple[int, int]:
    longest = max(settings.img_size_for(kind) for kind in settings.served_kinds)
    letterbox = Letterbox.fit(*USUAL_SOURCE, longest)
    return letterbox.input_height, letterbox.input_width


def _version(*packages: str) -> str:
    for name in packages:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
