"""Small real videos of every kind, made with FFmpeg's encoders; every frame carries its own number."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

BITS = 12
"""A frame shows its number as so many black or white columns."""


def numbered_picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8: moving noise, with the number in binary in the upper half."""
    rng = np.random.default_rng(number)
    picture = rng.integers(60, 190, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    full = np.zeros((height, width, 3), np.uint8)
    full[: picture.shape[0], : picture.shape[1]] = picture
    columns = np.array([(number >> bit) & 1 for bit in range(BITS)], np.uint8) * 255
    strip = columns.repeat(-(-width // BITS))[:width]
    full[: height // 2] = strip[None, :, None]
    return full


def read_number(image: npt.NDArray[np.uint8]) -> int:
    """The number that a (perhaps resized) numbered picture shows."""
    row = image[image.shape[0] // 4].mean(axis=1)
    step = len(row) / BITS
    return sum(int(row[int((bit + 0.5) * step)] > 127) << bit for bit in range(BITS))


def make_video(
    frames: int = 30,
    size: tuple[int, int] = (320, 192),
    codec: str = "libx264",
    container: str = "mp4",
    fps: int = 25,
    pixels: str = "yuv420p",
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    gop: int = 12,
    times: list[int] | None = None,
) -> bytes:
    """Encode numbered pictures.

    Args:
        frames: How many.
        size: Width and height.
        codec: An encoder of FFmpeg's.
        container: A muxer of FFmpeg's.
        fps: Frames a second.
        pixels: Pixel format.
        codec_options: For the encoder.
        container_options: For the muxer, for instance movflags.
        gop: Distance of key frames.
        times: Presentation times in units of 1/1000 s instead of even ones.
    """
    with tempfile.TemporaryDirectory() as folder:  # a file, since moving the index first reopens it by name
        file = Path(folder) / "video"
        _encode(
            file, frames, size, codec, container, fps, pixels, codec_options, container_options, gop, times
        )
        return file.read_bytes()


def _encode(
    file: Path,
    frames: int,
    size: tuple[int, int],
    codec: str,
    container: str,
    fps: int,
    pixels: str,
    codec_options: dict[str, str] | None,
    container_options: dict[str, str] | None,
    gop: int,
    times: list[int] | None,
) -> None:
    with av.open(str(file), "w", format=container, options=container_options or {}) as out:
        stream: Any = out.add_stream(codec, rate=fps, options=codec_options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.gop_size = gop
        stream.codec_context.thread_count = 1  # the same bytes each time
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(numbered_picture(number, *size), format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[number], stream.codec_context.time_base
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
