"""The CUDA devices of this machine, and which of them GPUS names. Not run on several GPUs yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from services.errors import ModelNotReady
from services.settings import Settings

COUNT_TIMEOUT_S: Final = 60.0
"""Seconds for another process to import torch and to start CUDA, on a slow disk."""
_COUNT: Final = "import torch; print(torch.cuda.device_count())"


def count_cuda_devices() -> int:
    """CUDA devices of this machine, or those that CUDA_VISIBLE_DEVICES leaves.

    Another process is asked: the parent of a worker must not load torch, whose CUDA does not survive a fork.

    Raises:
        ModelNotReady: torch cannot be asked.
    """
    try:
        found = subprocess.run(
            [sys.executable, "-P", "-c", _COUNT],
            capture_output=True,
            text=True,
            timeout=COUNT_TIMEOUT_S,
            check=True,
        )
        return int(found.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        detail = getattr(error, "stderr", "") or error
        raise ModelNotReady(f"GPUS=all: torch cannot say how many devices there are: {detail}") from error


def gpu_indices(settings: Settings, count: Callable[[], int] = count_cuda_devices) -> tuple[int, ...]:
    """The devices that the setting GPUS names; none when it is unset.

    Args:
        settings: GPUS.
        count: Says how many CUDA devices there are; a process that has loaded torch asks it directly.

    Raises:
        ModelNotReady: GPUS=all, and there is none.
    """
    if settings.gpus != "all":
        return settings.listed_gpus
    found = count()
    if found == 0:
        raise ModelNotReady("GPUS=all: CUDA sees no device here; unset GPUS, and DEVICE=cpu runs without")
    return tuple(range(found))


def describe_cuda_devices() -> list[str]:
    """Name and memory of every CUDA device, as this process sees them; empty without CUDA."""
    import torch

    if not torch.cuda.is_available():
        return []
    found = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found.append(f"cuda:{index} {facts.name}, {facts.total_memory / 1e9:.0f} GB")
    return found


def make_current(device: str) -> None:
    """Make a CUDA device the one that torch takes where code names none.

    Otherwise such code would use the first GPU, which may belong to another child.
    """
    import torch

    torch.cuda.set_device(device)
