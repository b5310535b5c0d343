"""A model of torch made into one of OpenVINO: once, kept in a cache, and compared before it is used.

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
from typing import Any

import numpy as np
import numpy.typing as npt

from services.errors import ChallengeError, ModelNotReady
from services.files import sha256_of
from services.inference.backend import AnyBackend, Backend
from services.inference.export_cache import ExportCache, ExportKey
from services.inference.openvino_backend import FACTS, OpenVinoBackend
from services.inference.synthetic_pictures import patterned

log = logging.getLogger(__name__)

FORMAT = "openvino-1"
"""Counts up when what is done here changes, so that older entries of the cache are not used."""
EXPORTERS = ("openvino", "torch", "ultralytics-opencv-headless")
REFUSED = "refused.txt"
"""Stands in the cache for an export that failed or finds something else: why."""
TRACED_SIZE = (224, 384)
"""Height and width of the picture that the network is followed with; it runs with any other."""
COMPARED_SIZE = (256, 448)
COMPARED = 50
"""Best boxes of each picture that are compared."""
PIXEL_SHARE = 0.01
"""Boxes and keypoints may differ by this share of the picture's longer side: OpenVINO rounds to 16 bits where
the processor has arithmetic for that."""
SCORE_TOLERANCE = 0.05


def export_key(path: Path) -> ExportKey:
    """What the export of a model depends on.

    Raises:
        ModelNotReady: The model cannot be read.
    """
    # without importing them: a worker's parent asks, which must stay free of torch
    versions = {name: metadata.version(name) for name in EXPORTERS}
    return ExportKey.of(path, FORMAT, {"precision": "float32", **versions})


def find_export(path: Path, cache: ExportCache) -> Path | None:
    """The OpenVINO file made from a model earlier; nothing is made.

    Raises:
        ModelNotReady: The model cannot be read, or its export was refused earlier.
    """
    entry = cache.find(export_key(path))
    return None if entry is None else _xml(entry)


def export(path: Path, cache: ExportCache) -> Path:
    """The OpenVINO file of a model, made if it is not there: tens of seconds.

    Args:
        path: A .pt that ultralytics loads.
        cache: Where it is kept.

    Raises:
        ModelNotReady: It cannot be exported or kept, or finds something else than the model.
    """
    return _xml(cache.get(export_key(path), lambda into: _make(path, into)))


def _xml(entry: Path) -> Path:
    refused = entry / REFUSED
    if refused.is_file():
        raise ModelNotReady(f"{refused.read_text(encoding='utf-8')} (known from before: {refused})")
    return next(entry.glob("*.xml"))


def _make(path: Path, into: Path) -> None:
    try:
        _export_and_compare(path, into)
    except ModelNotReady as error:
        # what is not remembered would be tried for a minute at every start
        for file in into.iterdir():
            file.unlink()
        (into / REFUSED).write_text(error.message, encoding="utf-8")


def _export_and_compare(path: Path, into: Path) -> None:
    import openvino

    started = time.perf_counter()
    original = Backend(path, "cpu", half=False)
    facts: dict[str, Any] = {
        "names": original.names,
        "task": original.task,
        "kpt_shape": original.keypoint_shape,
        "end2end": original.end2end,
        "source_sha256": sha256_of(path),
    }
    with tempfile.TemporaryDirectory() as folder:
        model = openvino.Core().read_model(_ultralytics_export(path, Path(folder)))
        model.set_rt_info(json.dumps(facts), FACTS)
        target = into / f"{path.stem}.xml"
        openvino.save_model(model, target, compress_to_fp16=False)
        del model
    compare(original, OpenVinoBackend(target, slots=1, threads=1))
    log.info("%s: exported to OpenVINO in %.0f s", path, time.perf_counter() - started)


def _ultralytics_export(path: Path, folder: Path) -> Path:
    from ultralytics import YOLO

    # it writes beside the model
    copy = folder / path.name
    shutil.copyfile(path, copy)
    try:
        with warnings.catch_warnings():
            # of torch's tracer, about itself; what comes out is compared
            warnings.simplefilter("ignore")
            written = YOLO(str(copy)).export(
                format="openvino", imgsz=TRACED_SIZE, dynamic=True, device="cpu", verbose=False
            )
    except Exception as error:  # noqa: BLE001 - exporters raise whatever they like
        raise ModelNotReady(f"{path}: cannot be exported to OpenVINO: {error}") from error
    return next(Path(written).glob("*.xml"))


def compare(original: AnyBackend, made: AnyBackend) -> None:
    """Have two models look at the same pictures.

    Raises:
        ModelNotReady: They do not find the same, or one fails.
    """
    pictures = patterned(2, *COMPARED_SIZE)
    try:
        ours, theirs = _table(original.forward(pictures)), _table(made.forward(pictures))
    except ChallengeError as error:
        raise ModelNotReady(f"the export fails: {error.message}") from error
    if ours.shape != theirs.shape:
        raise ModelNotReady(f"the export gives {theirs.shape}, the model {ours.shape}")
    classes = len(original.names)
    worst = max(
        disagreement(one, other, classes, original.end2end) for one, other in zip(ours, theirs, strict=True)
    )
    # not "worst > 1": that would let pass what is not a number
    if not worst <= 1:
        raise ModelNotReady(
            f"the export finds something else than the model (differences up to {worst:.1f} times of what is "
            "allowed); RUNTIME=torch runs the model itself"
        )


def disagreement(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], classes: int, end2end: bool
) -> float:
    """How far the best boxes of one output are from those of another, as a multiple of what is allowed.

    Args:
        one: Raw output for a picture of `COMPARED_SIZE`: (4 + classes + keypoint values, anchors), or
            (boxes, 6 + keypoint values) with built-in suppression.
        other: The same of the other model.
        classes: The classes that both have.
        end2end: Whether suppression is built in: the boxes' order then means nothing, and the nearest counts.
    """
    pixels = PIXEL_SHARE * max(COMPARED_SIZE)
    if end2end:
        scores = one[:, 4]
        allowed = np.full(one.shape[1], pixels, np.float32)
        allowed[4:6] = SCORE_TOLERANCE, 0.5
    else:
        one, other = one.T, other.T
        scores = one[:, 4 : 4 + classes].max(axis=1)
        allowed = np.full(one.shape[1], pixels, np.float32)
        allowed[4 : 4 + classes] = SCORE_TOLERANCE
    best = np.argsort(-scores, kind="stable")[:COMPARED]
    if end2end:
        far = np.abs(one[best, None] - other[None]) / allowed
        return float(far.max(axis=2).min(axis=1).max())
    return float((np.abs(one[best] - other[best]) / allowed).max())


def _table(raw: Any) -> npt.NDArray[np.float32]:
    return raw if isinstance(raw, np.ndarray) else np.asarray(raw.float().cpu().numpy(), np.float32)
