"""The device that models run on, and how the devices of a worker's children are called."""

from __future__ import annotations

from services.errors import ModelNotReady
from services.settings import Settings


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


def slot_name(settings: Settings, index: int) -> str:
    """How a child's device is called: `cuda:1`, or `cpu#1` where DEVICE=cpu has children share the CPU."""
    return f"cpu#{index}" if settings.device == "cpu" else f"cuda:{index}"


def on_device(settings: Settings, name: str) -> Settings:
    """The settings of the child whose device has a name from `slot_name`."""
    return settings.model_copy(update={"device": name.partition("#")[0]})
