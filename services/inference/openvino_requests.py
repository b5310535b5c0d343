"""An OpenVINO model on the CPU, compiled for every shape of its input."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from services.errors import InferenceError

if TYPE_CHECKING:
    import openvino
    from openvino.preprocess import PrePostProcessor

Shape = tuple[int, ...]

MAX_SHAPES: Final = 16
"""Shapes that stay compiled: those that are warmed, and the latest others. One takes up to 100 MB."""


_running: Final[dict[int, Any]] = {}
"""The requests of all models that run in this process at the moment, by their ids."""
_running_lock: Final = threading.Lock()


def interrupt() -> None:
    """End all calls that run in this process; each of them raises `InferenceError`.

    A process works on one challenge at a time: when that is cancelled, nobody wants what its models find.
    """
    with _running_lock:
        for request in _running.values():
            request.cancel()


class OpenVinoRequests:
    """Runs a model, several calls at the same time.

    Args:
        core: Compiles it.
        model: The model as it was read.
        prepare: Makes the conversion of the input, which is uint8, part of the model.
        slots: Calls that run at the same time; each has its own buffers, and further ones wait.
        threads: CPU threads of one call.
    """

    def __init__(
        self,
        core: openvino.Core,
        model: openvino.Model,
        prepare: Callable[[PrePostProcessor], object],
        slots: int,
        threads: int,
    ) -> None:
        self._core, self._model, self._prepare = core, model, prepare
        self._slots, self._threads = slots, threads
        self._compiling = threading.Lock()
        self._remembering = threading.Lock()
        self._free_requests: OrderedDict[Shape, SimpleQueue[Any]] = OrderedDict()  # the latest used last

    def infer(self, pictures: npt.NDArray[np.uint8], model_shape: Shape) -> npt.NDArray[np.float32]:
        """Run it on one input; the first output.

        Args:
            pictures: The input.
            model_shape: What the model's own input has to be reshaped to for it.

        Raises:
            InferenceError: It failed, or was interrupted.
        """
        try:
            free = self._requests_for(model_shape)
            request = free.get()
            with _running_lock:
                _running[id(request)] = request
            try:
                return np.array(request.infer({0: pictures}, share_inputs=True)[0], np.float32)
            finally:
                with _running_lock:
                    del _running[id(request)]
                free.put(request)
        except RuntimeError as error:
            raise InferenceError(f"the model failed: {error}") from error

    def _requests_for(self, shape: Shape) -> SimpleQueue[Any]:
        found = self._compiled(shape)
        if found is not None:
            return found
        with self._compiling:  # calls with other shapes go on meanwhile
            return self._compiled(shape) or self._compile(shape)

    def _compiled(self, shape: Shape) -> SimpleQueue[Any] | None:
        with self._remembering:
            found = self._free_requests.get(shape)
            if found is not None:
                self._free_requests.move_to_end(shape)
            return found

    def _compile(self, shape: Shape) -> SimpleQueue[Any]:
        from openvino.preprocess import PrePostProcessor

        model = self._model.clone()
        model.reshape(list(shape))
        steps = PrePostProcessor(model)
        self._prepare(steps)
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
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._slots):
            free.put(compiled.create_infer_request())
        with self._remembering:
            self._free_requests[shape] = free
            while len(self._free_requests) > MAX_SHAPES:
                self._free_requests.popitem(last=False)
        return free
