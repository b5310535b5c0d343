"""Memory and use of the NVIDIA devices of this machine, through NVML; none where there is no such library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """One device.

    Attributes:
        name: `cuda:0` and so on.
        used_bytes: Memory in use by all processes.
        total_bytes: All of its memory.
        busy_ratio: Share of the last sampling period in which it computed, 0 to 1.
    """

    name: str
    used_bytes: int
    total_bytes: int
    busy_ratio: float


def device_use() -> list[DeviceUse]:
    """The devices at the moment; an empty list where there is no driver or no library (nvidia-ml-py)."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    found = []
    try:
        for number in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
            found.append(DeviceUse(f"cuda:{number}", int(memory.used), int(memory.total), rates.gpu / 100))
    except pynvml.NVMLError:
        return found  # a device that has fallen off the bus is missed by its absence
    finally:
        pynvml.nvmlShutdown()
    return found
