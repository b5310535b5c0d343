"""A .pt exported to OpenVINO: once, kept in a cache, and compared with the model before it is used.

The export is in floating point, for batches and pictures of any size.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.export_cache import ExportCache, ExportKey
from services.inference.export_comparison import compare
from services.inference.openvino_backend import METADATA, OpenVinoBackend
from services.inference.torch_backend import TorchBackend

log = logging.getLogger(__name__)

FORMAT: Final = "openvino-1"
"""Counts up when what is done here changes, so that older entries of the cache are not used."""
EXPORTERS: Final = ("openvino", "torch", "ultralytics-opencv-headless")
"""Packages whose versions an export depends on."""
REFUSAL: Final = "refused.txt"
"""In the cache's entry of an export that failed or finds something else: why."""
TRACED_SIZE: Final = (224, 384)
"""Height and width, in pixels, of the picture with which the network is traced; it runs with any other."""


def export_key(path: Path) -> ExportKey:
    """What the export of a model depends on.

    Raises:
        ModelNotReady: The model cannot be read.
    """
    # without importing them: the parent of a worker asks, which must not load torch
    versions = {name: metadata.version(name) for name in EXPORTERS}
    return ExportKey.of(path, FORMAT, {"precision": "float32", **versions})


def find_export(path: Path, cache: ExportCache) -> Path | None:
    """The OpenVINO file made from a model earlier; nothing is made.

    Raises:
        ModelNotReady: The model cannot be read, or its export was refused earlier.
    """
    entry = cache.find(export_key(path))
    return None if entry is None else _file_of(entry)


def export(path: Path, cache: ExportCache) -> Path:
    """The OpenVINO file of a model, made if it is not there, which takes tens of seconds.

    Args:
        path: A .pt that ultralytics loads.
        cache: Where it is kept.

    Raises:
        ModelNotReady: It cannot be exported or kept, or finds something else than the model.
    """
    return _file_of(cache.get(export_key(path), lambda into: _make(path, into)))


def _file_of(entry: Path) -> Path:
    refusal = entry / REFUSAL
    if refusal.is_file():
        raise ModelNotReady(f"{refusal.read_text(encoding='utf-8')} (found earlier; see {refusal})")
    return next(entry.glob("*.xml"))


def _make(path: Path, into: Path) -> None:
    try:
        _export_and_compare(path, into)
    except ModelNotReady as error:
        # a refusal that is not kept would be tried again, for a minute, at every start
        for file in into.iterdir():
            file.unlink()
        (into / REFUSAL).write_text(error.message, encoding="utf-8")


def _export_and_compare(path: Path, into: Path) -> None:
    import openvino

    started = time.perf_counter()
    original = TorchBackend(path, "cpu", half=False)
    facts: dict[str, Any] = {
        "names": original.names,
        "task": original.task,
        "kpt_shape": original.keypoint_shape,
        "end2end": original.end2end,
        "source_sha256": sha256_of(path),
    }
    with tempfile.TemporaryDirectory() as folder:
        model = openvino.Core().read_model(_ultralytics_export(path, Path(folder)))
        model.set_rt_info(json.dumps(facts), METADATA)
        target = into / f"{path.stem}.xml"
        openvino.save_model(model, target, compress_to_fp16=False)
        # it keeps its file open, and the folder is removed now
        del model
    compare(original, OpenVinoBackend(target, slots=1, threads=1))
    log.info("%s: exported to OpenVINO in %.0f s", path, time.perf_counter() - started)


def _ultralytics_export(path: Path, folder: Path) -> Path:
    from ultralytics import YOLO

    # ultralytics writes beside the model
    copy = folder / path.name
    shutil.copyfile(path, copy)
    try:
        with warnings.catch_warnings():
            # torch's tracer warns about itself; its result is compared
            warnings.simplefilter("ignore")
            written = YOLO(str(copy)).export(
                format="openvino", imgsz=TRACED_SIZE, dynamic=True, device="cpu", verbose=False
            )
    except Exception as error:  # noqa: BLE001 - exporters raise whatever they like
        raise ModelNotReady(f"{path}: cannot be exported to OpenVINO: {error}") from error
    return next(Path(written).glob("*.xml"))
