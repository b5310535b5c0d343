"""Any model that ultralytics loads, called without the per-frame work of its `predict()`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from services.errors import ChallengeError, DeviceLost, InferenceError, ModelNotReady, OutOfDeviceMemory
from services.video.letterbox import Image

if TYPE_CHECKING:
    import torch

# threads that wait for each other by spinning cost six times the time when decoding wants a core too
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# ultralytics must not search updates, install packages or talk while a worker starts
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise `OutOfDeviceMemory`, `DeviceLost` or `InferenceError` for what torch raises inside."""
    import torch

    try:
        yield
    except ChallengeError:
        raise
    except torch.OutOfMemoryError as error:
        raise OutOfDeviceMemory(f"lower BATCH_SIZE or IMG_SIZE: {error}") from error
    except RuntimeError as error:
        if "CUDA" in str(error) or "cuDNN" in str(error):
            raise DeviceLost(f"the device failed: {error}") from error
        raise InferenceError(f"the model failed: {error}") from error


def choose_device(wanted: str) -> str:
    """The torch device for the setting DEVICE; `auto` takes CUDA where there is one.

    Raises:
        ModelNotReady: The device that was asked for is not there.
    """
    import torch

    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda"):
        index = int(wanted.partition(":")[2] or 0)
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise ModelNotReady(
                f"DEVICE={wanted}: CUDA sees {torch.cuda.device_count()} device(s) here; "
                "DEVICE=cpu runs without"
            )
        return f"cuda:{index}"
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise ModelNotReady("DEVICE=mps: there is no Metal device here")
    return wanted


class AnyBackend(Protocol):
    """A loaded model, in whatever runtime.

    Attributes:
        names: Class names by the model's own ids.
        task: `detect`, `pose`, ... as the model says; None if it does not.
        keypoint_shape: (keypoints, values each) of a pose model.
        end2end: Whether the output needs no non-maximum suppression.
    """

    names: dict[int, str]
    task: str | None
    keypoint_shape: tuple[int, int] | None
    end2end: bool

    def forward(self, images: list[Image]) -> torch.Tensor | npt.NDArray[np.float32]:
        """Run one batch of pictures of one size, each (height, width, 3) uint8 RGB; the raw output."""


class Backend:
    """One loaded model, in torch or in any format that ultralytics loads.

    Args:
        path: The model's file or folder.
        device: A torch device.
        half: Half precision where the device has it.

    Attributes:
        names: Class names by the model's own ids.
        task: `detect`, `pose`, ... as the model says; None if it does not.
        keypoint_shape: (keypoints, values each) of a pose model.
        end2end: Whether the output needs no non-maximum suppression.
    """

    def __init__(self, path: Path, device: str, half: bool) -> None:
        import torch
        from ultralytics.nn.autobackend import AutoBackend

        self.device = torch.device(device)
        try:
            with torch.inference_mode():
                self._model = AutoBackend(str(path), device=self.device, fp16=half, verbose=False)
                self._model.eval()
        except Exception as error:  # noqa: BLE001 - loaders of a dozen formats raise whatever they like
            raise ModelNotReady(f"{path}: not a model that ultralytics loads: {error}") from error
        self.names: dict[int, str] = {int(k): str(v) for k, v in self._model.names.items()}
        # a .pt says it in the network that was loaded, an export in its metadata
        network = getattr(self._model, "model", None)
        self.task: str | None = getattr(self._model, "task", None) or getattr(network, "task", None)
        shape = getattr(self._model, "kpt_shape", None)
        self.keypoint_shape: tuple[int, int] | None = (int(shape[0]), int(shape[1])) if shape else None
        self.end2end = bool(getattr(self._model, "end2end", False))
        self._half = bool(getattr(self._model, "fp16", False))
        # an engine is given an address, and reads it as if channels came first in memory, too
        self._by_address = path.suffix == ".engine"

    def forward(self, images: list[Image]) -> torch.Tensor:
        """Run one batch.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.

        Returns:
            The model's raw output, batch first, on the model's device.
        """
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(images)).to(self.device, non_blocking=True)
            batch = batch.permute(0, 3, 1, 2).to(torch.float16 if self._half else torch.float32) / 255
            if self._by_address:
                batch = batch.contiguous()
            output: Any = self._model(batch)
        first = output[0] if isinstance(output, list | tuple) else output
        assert isinstance(first, torch.Tensor)
        return first
