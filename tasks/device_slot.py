"""One device for each child of a worker: a lock file for each device, held as long as the child lives.

Celery replaces a child that ended by another one, and does not say which. The kernel frees a dead process's
locks, however it ended, so the new child finds exactly its predecessor's device free. Two workers with one
STATE_DIR share the devices in the same way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.errors import ModelNotReady
from services.files import take_lock

WAIT_S = 20.0
"""A predecessor with gigabytes on a device takes a while to end."""
POLL_S = 0.05
"""Seconds between two attempts to take a device."""


@dataclass(frozen=True, slots=True)
class DeviceSlot:
    """A device that belongs to this process until the process ends.

    Attributes:
        name: The device, for example `cuda:1`.
        handle: The open descriptor of its lock file; closing it releases the device.
    """

    name: str
    handle: int


def take_slot(
    names: Sequence[str], folder: Path, wait_s: float = WAIT_S, sleep: Callable[[float], None] = time.sleep
) -> DeviceSlot:
    """Take the first device that nobody has.

    Args:
        names: The devices, in the order in which they are tried.
        folder: Where the lock files are; shared by all processes that share the devices.
        wait_s: How long to wait for one.
        sleep: Waits.

    Raises:
        ModelNotReady: None was given free in time; the text says who has them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait_s
    while True:
        for name in names:
            slot = _try(name, folder)
            if slot is not None:
                return slot
        if time.monotonic() >= end:
            held = ", ".join(f"{name} by process {_holder(name, folder)}" for name in names)
            raise ModelNotReady(
                f"GPUS: every device is taken ({held}); is another worker running with STATE_DIR={folder}?"
            )
        sleep(POLL_S)


def _path(name: str, folder: Path) -> Path:
    return folder / f"device-{name.replace(':', '-').replace('#', '-')}"


def _try(name: str, folder: Path) -> DeviceSlot | None:
    handle = take_lock(_path(name, folder), wait=False)
    if handle is None:
        return None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return DeviceSlot(name, handle)


def _holder(name: str, folder: Path) -> str:
    return _path(name, folder).read_text().strip() or "unknown"
