"""Models that OpenVINO runs on the CPU, several batches at the same time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from services.errors import ModelNotReady
from services.inference.backend import RawOutput
from services.inference.openvino_requests import OpenVinoRequests
from services.video.letterbox import Image

if TYPE_CHECKING:
    import openvino
    from openvino.preprocess import PrePostProcessor

METADATA: Final = ["touchline", "facts"]
"""Where our exports keep class names and the checksum of the model that they were made from, as JSON."""


class OpenVinoBackend:
    """One loaded model, compiled once for every shape of batch that comes; see `Backend`.

    Conversion to float, scaling to 0..1 and the change of layout are part of the compiled model.

    Args:
        path: The `.xml` file, as ultralytics' export or our quantisation wrote it, with its `.bin` beside it.
        slots: Batches that run at the same time; each has its own buffers.
        threads: CPU threads of one batch.

    Raises:
        ModelNotReady: It is not an OpenVINO model, or one without the names of its classes.
    """

    def __init__(self, path: Path, slots: int, threads: int) -> None:
        import openvino

        core = openvino.Core()
        model, metadata = _read(core, path)
        self._requests = OpenVinoRequests(core, model, _prepare, slots, threads)
        self.names: dict[int, str] = {int(k): str(v) for k, v in metadata["names"].items()}
        self.task: str | None = metadata.get("task")
        shape = metadata.get("kpt_shape")
        self.keypoint_shape: tuple[int, int] | None = (int(shape[0]), int(shape[1])) if shape else None
        self.end2end = bool(metadata.get("end2end", False))

    def forward(self, images: list[Image]) -> RawOutput:
        """Run one batch, from as many threads at the same time as there are slots; see `Backend.forward`."""
        height, width = images[0].shape[:2]
        return self._requests.infer(np.stack(images), (len(images), 3, height, width))


def _prepare(steps: PrePostProcessor) -> None:
    from openvino import Layout, Type

    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    steps.input().model().set_layout(Layout("NCHW"))
    steps.input().preprocess().convert_element_type(Type.f32).scale(255.0)


def source_checksum(path: Path) -> str | None:
    """SHA-256 of the file that an OpenVINO model was made from, where the model states it.

    Raises:
        ModelNotReady: It is not an OpenVINO model, or one without the names of its classes.
    """
    import openvino

    found: str | None = _read(openvino.Core(), path)[1].get("source_sha256")
    return found


def _read(core: openvino.Core, path: Path) -> tuple[openvino.Model, dict[str, Any]]:
    """A model and its metadata: written into it by our exports, or beside it by ultralytics."""
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise ModelNotReady(f"{path}: not an OpenVINO model: {error}") from error
    if model.has_rt_info(METADATA):
        return model, json.loads(model.get_rt_info(METADATA).astype(str))
    beside = path.with_name("metadata.yaml")
    if not beside.is_file():
        raise ModelNotReady(f"{path}: the model does not say what its classes are called")
    from ultralytics.utils import YAML

    return model, dict(YAML.load(beside))
