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

from services.errors import ModelNotReady
from services.inference.export_cache import ExportCache, ExportKey
from services.settings import Settings
from services.video.letterbox import Letterbox

log = logging.getLogger(__name__)

ENGINE = "model.engine"
"""The file in an entry of the cache."""
PACKAGES = ("tensorrt", "onnx")
USUAL_SOURCE = (1280, 720)
"""The engine is tuned for pictures of this shape; it takes others up to twice as wide and as high."""
_DRIVER = Path("/proc/driver/nvidia/version")

Facts = Mapping[str, str]
Export = Callable[[Path, Path, str, Settings], None]
"""Writes `ENGINE` into a folder: (model, folder, device, settings)."""


def tensorrt_file(
    path: Path,
    device: str,
    settings: Settings,
    facts: Callable[[str], Facts] | None = None,
    export: Export | None = None,
) -> Path | None:
    """The engine that stands for a model, or None when torch runs it.

    With RUNTIME=tensorrt it is made when it is not there; with RUNTIME=auto one that is there is used.

    Args:
        path: The model as it was resolved.
        device: The torch device that was chosen.
        settings: RUNTIME, HALF, IMG_SIZE, BATCH_SIZE and MODEL_CACHE_DIR.
        facts: Says what an engine on a device depends on; asks torch and the packages when not given.
        export: Makes an engine; ultralytics does when not given.

    Raises:
        ModelNotReady: TensorRT was asked for and cannot be had.
    """
    wanted = settings.runtime == "tensorrt"
    if settings.runtime not in ("auto", "tensorrt") or path.suffix == ".engine":
        return None
    if not device.startswith("cuda"):
        if wanted:
            raise ModelNotReady(f"RUNTIME=tensorrt runs on NVIDIA GPUs, not on {device}")
        return None
    if path.suffix != ".pt":
        if wanted:
            raise ModelNotReady(f"RUNTIME=tensorrt: an engine is made from a .pt file, not from {path}")
        return None
    lacks = [name for name in PACKAGES if importlib.util.find_spec(name) is None] if facts is None else []
    if lacks:
        if wanted:
            raise ModelNotReady(
                f"RUNTIME=tensorrt: not installed: {', '.join(lacks)}; `pip install 'touchline[tensorrt]'`"
            )
        return None
    cache = ExportCache(Path(settings.model_cache_dir).expanduser() / "tensorrt")
    key = engine_key(path, settings, (facts or device_facts)(device))
    if not wanted:
        entry = cache.find(key)
        return entry / ENGINE if entry is not None else None

    def make(into: Path) -> None:
        log.warning("making a TensorRT engine of %s for %s: this takes minutes, once", path, device)
        (export or run_export)(path, into, device, settings)
        if not (into / ENGINE).is_file():
            raise ModelNotReady(f"RUNTIME=tensorrt: the export of {path} left no engine")

    return cache.get(key, make) / ENGINE


def engine_key(path: Path, settings: Settings, facts: Facts) -> ExportKey:
    """The key of the engine that a model needs under some settings on some device."""
    height, width = _picture(settings)
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
    """The NVIDIA driver's version line; `unknown` where the kernel module does not tell."""
    try:
        return file.read_text().splitlines()[0].removeprefix("NVRM version:").strip()
    except (OSError, IndexError):
        return "unknown"


def run_export(path: Path, into: Path, device: str, settings: Settings) -> None:
    """Make an engine in a process of its own, which leaves neither memory nor settings of torch behind.

    Raises:
        ModelNotReady: It could not be made; the text has the last lines that were printed.
    """
    height, width = _picture(settings)
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
        said = process.stdout.read()
    if process.returncode:
        last = "\n".join(said.splitlines()[-8:])
        raise ModelNotReady(f"RUNTIME=tensorrt: no engine could be made of {path} on {device}:\n{last}")


def _picture(settings: Settings) -> tuple[int, int]:
    box = Letterbox.fit(*USUAL_SOURCE, settings.img_size)
    return box.input_height, box.input_width


def _version(*packages: str) -> str:
    for name in packages:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
