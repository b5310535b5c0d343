"""An OpenVINO model on the CPU: takes pictures as they are, several batches at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from services.errors import InferenceError, ModelNotReady
from services.video.letterbox import Image

if TYPE_CHECKING:
    import openvino

Shape = tuple[int, int, int]
"""Pictures of a batch, height, width."""
FACTS = ["touchline", "facts"]
"""Where a model of ours keeps its class names and the checksum of what it was made from, as JSON."""


class OpenVinoBackend:
    """One loaded model, compiled once for every shape of batch that comes.

    Conversion to float, scaling to 0..1 and the change of layout are part of the compiled model.

    Args:
        path: The `.xml` file, as ultralytics' export or our quantisation wrote it; its `.bin` beside it.
        slots: Batches that run at once; each has its own buffers.
        threads: CPU threads of one batch.

    Attributes:
        names: Class names by the model's own ids.
        task: `detect`, `pose`, ... as the model says; None if it does not.
        keypoint_shape: (keypoints, values each) of a pose model.
        end2end: Whether the output needs no non-maximum suppression.
        source_sha256: Checksum of the file that the model was made from, if it says.

    Raises:
        ModelNotReady: No OpenVINO model, or one without the names of its classes.
    """

    def __init__(self, path: Path, slots: int, threads: int) -> None:
        import openvino

        self._core = openvino.Core()
        self._slots = slots
        self._threads = threads
        try:
            self._model = self._core.read_model(path)
        except RuntimeError as error:
            raise ModelNotReady(f"{path}: not an OpenVINO model: {error}") from error
        facts = _facts(self._model, path)
        self.source_sha256: str | None = facts.get("source_sha256")
        self.names: dict[int, str] = {int(k): str(v) for k, v in facts["names"].items()}
        self.task: str | None = facts.get("task")
        shape = facts.get("kpt_shape")
        self.keypoint_shape: tuple[int, int] | None = (int(shape[0]), int(shape[1])) if shape else None
        self.end2end = bool(facts.get("end2end", False))
        self._compiling = threading.Lock()
        self._requests: dict[Shape, SimpleQueue[Any]] = {}

    def forward(self, images: list[Image]) -> npt.NDArray[np.float32]:
        """Run one batch; may be called from as many threads at once as there are inference slots.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.

        Returns:
            The model's raw output, batch first.

        Raises:
            InferenceError: The model failed.
        """
        shape = (len(images), *images[0].shape[:2])
        try:
            requests = self._requests.get(shape) or self._compile(shape)
            request = requests.get()
            try:
                result = request.infer({0: np.stack(images)}, share_inputs=True)
                return np.array(result[0], np.float32)
            finally:
                requests.put(request)
        except RuntimeError as error:
            raise InferenceError(f"the model failed: {error}") from error

    def _compile(self, shape: Shape) -> SimpleQueue[Any]:
        from openvino import Layout, Type
        from openvino.preprocess import PrePostProcessor

        with self._compiling:
            if shape in self._requests:
                return self._requests[shape]
            pictures, height, width = shape
            model = self._model.clone()
            model.reshape([pictures, 3, height, width])
            steps = PrePostProcessor(model)
            steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
            steps.input().model().set_layout(Layout("NCHW"))
            steps.input().preprocess().convert_element_type(Type.f32).scale(255.0)
            compiled = self._core.compile_model(
                steps.build(),
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": self._slots * self._threads,
                    "NUM_STREAMS": self._slots,
                    # pinned threads would wait for a core that a decoder uses while another one is free
                    "ENABLE_CPU_PINNING": False,
                },
            )
            requests: SimpleQueue[Any] = SimpleQueue()
            for _ in range(self._slots):
                requests.put(compiled.create_infer_request())
            self._requests[shape] = requests
            return requests


def source_checksum(path: Path) -> str | None:
    """SHA-256 of the file that an OpenVINO model was made from, if it says.

    Raises:
        ModelNotReady: No OpenVINO model, or one without the names of its classes.
    """
    import openvino

    try:
        model = openvino.Core().read_model(path)
    except RuntimeError as error:
        raise ModelNotReady(f"{path}: not an OpenVINO model: {error}") from error
    found: str | None = _facts(model, path).get("source_sha256")
    return found


def _facts(model: openvino.Model, path: Path) -> dict[str, Any]:
    """What is known of a model: written into it by our quantisation, or beside it by ultralytics."""
    if model.has_rt_info(FACTS):
        found: dict[str, Any] = json.loads(model.get_rt_info(FACTS).astype(str))
        return found
    beside = path.with_name("metadata.yaml")
    if beside.is_file():
        from ultralytics.utils import YAML

        return dict(YAML.load(beside))
    raise ModelNotReady(f"{path}: the model does not say what its classes are called")
