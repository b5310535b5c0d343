"""A predictor that needs no model and fails as it is told to: for trying what faults do to a running system.

`PREDICTOR=faulty`. It reads before every batch what the file `fault` in `STATE_DIR` says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np

from services.challenges.gsr_kind import GsrAssembly
from services.plugin import DeviceLost, Frame, Letterbox, OutOfDeviceMemory, Settings
from services.results import Detections, FrameResult

Fault = Literal[
    "",
    "slow",
    "slow encoding",
    "hangs",
    "device lost",
    "out of device memory",
    "takes memory",
    "clock set forward",
    "clock set back",
]
FAULT_FILE: Final = "fault"
SLOW_S: Final = 4.0
"""Seconds that the first batch of a challenge, or its encoding, takes when it is slow: long enough to do
something to it."""
CLOCK_S: Final = 60.0
"""Seconds by which the clock of a process is set."""
_HANG_S: Final = 3600.0
"""Seconds for which it hangs: longer than any deadline."""


def set_fault(state_dir: Path, fault: Fault) -> None:
    """Let the predictors of a worker fail from their next batch on; an empty text lets them work."""
    (state_dir / FAULT_FILE).write_text(fault)


class FaultyPredictor:
    """Answers one player in every frame, at a place that depends on the frame's number alone.

    Args:
        settings: All settings of the process.
        device: Not used.
    """

    slots = 1

    def __init__(self, settings: Settings, device: str) -> None:
        self.device = "cpu"
        self._file = Path(settings.state_dir) / FAULT_FILE
        self._born = time.time()
        self._slow_down_encoding()

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        """One result for each frame, or the fault."""
        # a process that takes the place of one that failed works, and warms up
        self._fail(self._told(), first=bool(frames) and frames[0].index == 0)
        return [FrameResult(frame.index, _player(frame.index), None) for frame in frames]

    def _told(self) -> str:
        if self._file.exists() and self._file.stat().st_mtime > self._born:
            return self._file.read_text()
        return ""

    def _slow_down_encoding(self) -> None:
        encode = GsrAssembly.encode

        def slow(assembly: GsrAssembly, seconds: float) -> bytes:
            if self._told() == "slow encoding":
                time.sleep(SLOW_S)
            return encode(assembly, seconds)

        setattr(GsrAssembly, "encode", slow)  # noqa: B010  (mypy knows no method that is replaced)

    def _fail(self, fault: str, *, first: bool) -> None:
        match fault:
            case "slow" if first:
                time.sleep(SLOW_S)
            case "hangs":
                time.sleep(_HANG_S)
            case "device lost":
                raise DeviceLost("the device failed: CUDA error: an illegal memory access was encountered")
            case "out of device memory":
                raise OutOfDeviceMemory("CUDA out of memory. Tried to allocate 2.00 GiB")
            case "clock set forward" if first:
                _set_clock(CLOCK_S)
            case "clock set back" if first:
                _set_clock(-CLOCK_S)
            case "takes memory":
                taken = []
                while True:
                    taken.append(np.ones(64 << 20, np.uint8))


def _set_clock(seconds: float) -> None:
    """Set the clock of this process; Python's, since the machine's belongs to everybody."""
    clock = time.time
    time.time = lambda: clock() + seconds


def _player(index: int) -> Detections:
    left = 100.0 + index % 500
    box = np.array([[left, 200.0, left + 30.0, 280.0]], np.float32)
    return Detections(box, np.array([0.9], np.float32), np.array([2], np.int64))
