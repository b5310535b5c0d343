"""Encodes rendered pictures as H.264 in MP4, with the bit rate and key frames of clips of real challenges."""

from __future__ import annotations

import os
from fractions import Fraction
from types import TracebackType
from typing import IO, Any, Final, Self

import av
import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["BITS_PER_PIXEL", "ClipEncoder", "Planes", "planes_of", "processes_for"]

BITS_PER_PIXEL: Final = 1_600_000 / (1280 * 720)
"""Bits per second and pixel, as in clips of real challenges: about 6 MB for 30 s at 1280 x 720."""
_GROUP_OF_PICTURES: Final = 50
"""Maximum distance of two key frames, in frames: two seconds, as in clips of real challenges."""
_WORTH_A_PROCESS: Final = 50
"""Frames from which on rendering in several processes is faster than starting them takes."""

Planes = npt.NDArray[np.uint8]
"""A picture as I420, shape (height * 3 / 2, width)."""


def planes_of(image: npt.NDArray[np.uint8]) -> Planes:
    """Convert a BGR picture, shape (height, width, 3), to I420."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)


def processes_for(count: int) -> int:
    """Number of processes that render a clip of so many frames: one per core, and one for a short clip."""
    return (os.cpu_count() or 1) if count > _WORTH_A_PROCESS else 1


class ClipEncoder:
    """Writes pictures into an MP4 file; a context manager.

    Args:
        file: The file to write.
        size: Width and height in pixels, both even.
        fps: Frames per second.
        faststart: Whether the index (``moov``) stands at the front of the file instead of at its end.
        bits_per_pixel: Bits per second and pixel.
    """

    def __init__(
        self,
        file: str | IO[bytes],
        size: tuple[int, int],
        fps: int,
        *,
        faststart: bool = False,
        bits_per_pixel: float = BITS_PER_PIXEL,
    ) -> None:
        options = {"movflags": "+faststart"} if faststart else {}
        self._container = av.open(file, "w", format="mp4", options=options)
        self._stream: Any = self._container.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = *size, "yuv420p"
        self._stream.bit_rate = int(bits_per_pixel * size[0] * size[1])
        self._stream.gop_size = _GROUP_OF_PICTURES
        self._stream.thread_count = 1  # several threads would not write the same bytes every time
        self._time_base = Fraction(1, fps)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def add(self, planes: Planes) -> None:
        """Encode the next picture."""
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = self._count, self._time_base
        self._container.mux(self._stream.encode(frame))
        self._count += 1
