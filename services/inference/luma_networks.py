"""Running the two networks that take luma: in OpenVINO on the CPU, or in torch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from services.errors import InferenceError, ModelNotReady
from services.inference.runtimes import has_openvino

if TYPE_CHECKING:
    from services.inference.ball_modules import SmallModule

__all__ = ["Floats", "LumaNetwork", "Pictures", "load_luma_network"]

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Pictures = npt.NDArray[np.uint8]
"""Luma, (n, 1, height, width)."""
LumaNetwork = Callable[[Pictures], Floats]
"""Takes pictures; gives the network's output, (n, channels, rows, columns)."""


def load_luma_network(
    path: Path, module: str, runtime: str, *, device: str = "cpu", slots: int = 1, threads: int = 1
) -> LumaNetwork:
    """Load a network.

    Args:
        path: Its weights for torch; the OpenVINO file lies beside them.
        module: Its class in `ball_modules`.
        runtime: RUNTIME: OpenVINO runs it where it is installed, unless that asks for torch.
        device: The torch device; OpenVINO runs it only on `cpu`.
        slots: Calls that run at the same time; further ones wait.
        threads: CPU threads of one call.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    own = path.with_suffix(".xml")
    by_openvino = device == "cpu" and runtime != "torch" and has_openvino() and own.is_file()
    log.info("%s: %s runs it, on %s", path.name, "openvino" if by_openvino else "torch", device)
    return _OpenVino(own, slots, threads) if by_openvino else _torch(path, module, device, threads)


class _OpenVino:
    """A network that is compiled once for every shape of its input."""

    def __init__(self, path: Path, slots: int, threads: int) -> None:
        import openvino

        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(path)
        except RuntimeError as error:
            raise ModelNotReady(f"{path}: not an OpenVINO model: {error}") from error
        self._slots, self._threads = slots, threads
        self._compiling = threading.Lock()
        self._free_requests: dict[tuple[int, ...], SimpleQueue[Any]] = {}

    def __call__(self, pictures: Pictures) -> Floats:
        try:
            free = self._free_requests.get(pictures.shape) or self._compile(pictures.shape)
            request = free.get()
            try:
                return np.array(request.infer({0: pictures}, share_inputs=True)[0], np.float32)
            finally:
                free.put(request)
        except RuntimeError as error:
            raise InferenceError(f"the ball network failed: {error}") from error

    def _compile(self, shape: tuple[int, ...]) -> SimpleQueue[Any]:
        from openvino import Type
        from openvino.preprocess import PrePostProcessor

        with self._compiling:
            if shape in self._free_requests:
                return self._free_requests[shape]
            model = self._model.clone()
            model.reshape(list(shape))
            steps = PrePostProcessor(model)
            steps.input().tensor().set_element_type(Type.u8)
            steps.input().preprocess().convert_element_type(Type.f32)
            wanted = {
                "INFERENCE_NUM_THREADS": self._slots * self._threads,
                "NUM_STREAMS": self._slots,
                "ENABLE_CPU_PINNING": False,
            }
            compiled = self._core.compile_model(steps.build(), "CPU", wanted)
            free: SimpleQueue[Any] = SimpleQueue()
            for _ in range(self._slots):
                free.put(compiled.create_infer_request())
            self._free_requests[shape] = free
            return free


def _torch(path: Path, module: str, device: str, threads: int) -> LumaNetwork:
    import torch

    from services.inference import ball_modules

    wanted: type[SmallModule] = getattr(ball_modules, module)
    try:
        network = wanted.load(path).to(device)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelNotReady(f"{path}: not the weights of a ball network: {error}") from error

    # the number of threads belongs to the calling thread, which may have all cores for something else
    own = ThreadPoolExecutor(1, "touchline-ball", torch.set_num_threads, (threads,))

    def infer(pictures: Pictures) -> Floats:
        with torch.inference_mode():
            found = network(torch.from_numpy(pictures).to(device).float())
            return np.asarray(found.cpu().numpy(), np.float32)

    def run(pictures: Pictures) -> Floats:
        try:
            return own.submit(infer, pictures).result()
        except RuntimeError as error:
            raise InferenceError(f"the ball network failed: {error}") from error

    return run
