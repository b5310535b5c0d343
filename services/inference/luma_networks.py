"""Running the two networks that take luma: in OpenVINO on the CPU, or in torch. Not run on a GPU yet."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from services.errors import ModelNotReady
from services.inference.openvino_requests import OpenVinoRequests
from services.inference.runtimes import has_openvino
from services.inference.torch_backend import mapped_errors

if TYPE_CHECKING:
    from openvino.preprocess import PrePostProcessor

    from services.inference.ball_modules import SmallModule

__all__ = ["Floats", "LumaNetwork", "Pictures", "load_luma_network", "peaks"]

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
    return _openvino(own, slots, threads) if by_openvino else _torch(path, module, device, threads)


def _openvino(path: Path, slots: int, threads: int) -> LumaNetwork:
    import openvino

    core = openvino.Core()
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise ModelNotReady(f"{path}: not an OpenVINO model: {error}") from error
    requests = OpenVinoRequests(core, model, _prepare, slots, threads)
    return lambda pictures: requests.infer(pictures, pictures.shape)


def _prepare(steps: PrePostProcessor) -> None:
    from openvino import Type

    steps.input().tensor().set_element_type(Type.u8)
    steps.input().preprocess().convert_element_type(Type.f32)


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
        with mapped_errors(), torch.inference_mode():
            found = network(torch.from_numpy(pictures).to(device).float())
            return np.asarray(found.cpu().numpy(), np.float32)

    return lambda pictures: own.submit(infer, pictures).result()


def peaks(
    raw: Floats, step: int, minimum: float, count: int
) -> Iterator[tuple[float, float, float, list[float]]]:
    """The highest cells of a network's output that are higher than all cells around them.

    Args:
        raw: (3 + k, rows, columns): a logit, the offset of the ball's middle from the cell's, right and down,
            in cells, and k logarithms of its sizes in cells.
        step: Pixels from one cell to the next.
        minimum: Minimum score.
        count: Maximum number of cells.

    Yields:
        The middle in pixels, x and y; the score; the k logarithms. By descending score.
    """
    logits = np.nan_to_num(raw[0], nan=-np.inf)
    is_peak = (logits >= cv2.dilate(logits, np.ones((3, 3), np.uint8))) & (logits > -np.inf)
    rows, columns = np.nonzero(is_peak)
    for number in np.argsort(-logits[is_peak], kind="stable")[:count]:
        row, column = rows[number], columns[number]
        logit, right, down, *sizes = raw[:, row, column].tolist()
        score = 1 / (1 + math.exp(-logit))
        if score < minimum:
            return
        yield float(step * (column + 0.5 + right)), float(step * (row + 0.5 + down)), score, sizes
