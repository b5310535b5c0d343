"""Models that torch, or another library that ultralytics calls for their format, runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from services.errors import DeviceLost, InferenceError, ModelNotReady, OutOfDeviceMemory
from services.inference.backend import RawOutput
from services.video.letterbox import Image

# threads that wait for each other by spinning cost six times the time when decoding needs a core as well
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# ultralytics must not look for updates, install packages or print while a worker starts
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")


class TorchBackend:
    """One loaded model; see `Backend`. It is called without the work that ultralytics' `predict()` adds.

    Args:
        path: The model's file or folder.
        device: A torch device.
        half: Half precision where the device has it.

    Raises:
        ModelNotReady: ultralytics cannot load it.
    """

    def __init__(self, path: Path, device: str, half: bool) -> None:
        import torch
        from ultralytics.nn.autobackend import AutoBackend

        self._device = torch.device(device)
        try:
            with torch.inference_mode():
                self._model = AutoBackend(str(path), device=self._device, fp16=half, verbose=False)
                self._model.eval()
        except Exception as error:  # noqa: BLE001 - loaders of a dozen formats raise whatever they like
            raise ModelNotReady(f"{path}: not a model that ultralytics loads: {error}") from error
        self.names: dict[int, str] = {int(k): str(v) for k, v in self._model.names.items()}
        # a .pt states its task in the network that was loaded, an export in its metadata
        network = getattr(self._model, "model", None)
        self.task: str | None = getattr(self._model, "task", None) or getattr(network, "task", None)
        shape = getattr(self._model, "kpt_shape", None)
        self.keypoint_shape: tuple[int, int] | None = (int(shape[0]), int(shape[1])) if shape else None
        self.end2end = bool(getattr(self._model, "end2end", False))
        self._half = bool(getattr(self._model, "fp16", False))
        # TensorRT is given an address and reads the memory there as if channels came first
        self._needs_contiguous = path.suffix == ".engine"

    def forward(self, images: list[Image]) -> RawOutput:
        """Run one batch; see `Backend.forward`."""
        import torch

        with mapped_errors(), torch.inference_mode():
            batch = torch.from_numpy(np.stack(images)).to(self._device, non_blocking=True)
            batch = batch.permute(0, 3, 1, 2).to(torch.float16 if self._half else torch.float32) / 255
            output: Any = self._model(batch.contiguous() if self._needs_contiguous else batch)
            first = output[0] if isinstance(output, list | tuple) else output
            return np.asarray(first.float().cpu().numpy(), np.float32)


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise `OutOfDeviceMemory`, `DeviceLost` or `InferenceError` for what torch raises inside."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfDeviceMemory(f"lower BATCH_SIZE or IMG_SIZE: {error}") from error
    except RuntimeError as error:
        if "CUDA" in str(error) or "cuDNN" in str(error):
            raise DeviceLost(f"the device failed: {error}") from error
        raise InferenceError(f"the model failed: {error}") from error
