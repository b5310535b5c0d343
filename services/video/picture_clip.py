"""Single pictures, JPEG or PNG, as a clip."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import cv2
import numpy as np

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeStats
from services.video.letterbox import Frame, Image, Letterbox
from services.video.luma import full_scale, resized
from services.video.mp4_index import Mp4Index

READER: Final = "pictures"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8"
_CHUNK_FRAME: Final = 12
"""Bytes of a PNG chunk besides its content: length, kind, check sum."""
_MARK: Final = 0xFF
"""First byte of every JPEG marker."""
_SCAN: Final = b"\xff\xda"
_LENGTH_BYTES: Final = 2
"""A segment's length counts its own bytes."""
_NO_LENGTH: Final = (0x01, *range(0xD0, 0xD8))
_SKIPPED: Final = (0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE)
"""Segments that may stand before the size: tables, restart interval, application data, comment."""
MAX_SCANS: Final = 100
"""Scans of a JPEG; coders make about ten, thumbnails in its head included."""
_SIZES: Final = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))

_NOT_A_PICTURE: Final = "a frame is neither a JPEG nor a PNG picture"


class PictureClip:
    """Pictures of one size, numbered from 0 by their position.

    Args:
        count: How many.
        load: Gives the bytes of one.
        max_pixels: Largest picture accepted, width times height.

    Raises:
        UnsupportedVideo, TooLarge: The first picture is not one that is decoded here.
    """

    reader = READER

    def __init__(self, count: int, load: Callable[[int], bytes], max_pixels: int) -> None:
        self._load = load
        self._max_pixels = max_pixels
        self._first = load(0)
        self.width, self.height = self._size(self._first)
        self.count: int | None = count
        self.index: Mp4Index | None = None
        self.stats = DecodeStats(count=count)

    def _size(self, data: bytes) -> tuple[int, int]:
        width, height = picture_size(data)
        if width * height > self._max_pixels:
            raise TooLarge(f"pictures of {width}x{height}; MAX_PIXELS allows {self._max_pixels}")
        if width < 16 or height < 16:
            raise UnsupportedVideo(f"pictures of {width}x{height} are too small")
        return width, height

    def frames(self, plan: FramePlan, letterbox: Letterbox) -> Iterator[Frame]:
        """See `Clip`. A picture that cannot be decoded is left out, one of another size is refused.

        Raises:
            CorruptVideo: None could be decoded.
        """
        for position in range(self.stats.count):
            if not plan.is_sampled(position):
                continue
            data = self._load(position) if position else self._first
            size = self._size(data)
            if size != (self.width, self.height):
                raise UnsupportedVideo(
                    f"pictures of {self.width}x{self.height} and of {size[0]}x{size[1]} in one challenge"
                )
            begun = time.perf_counter()
            picture = decode_picture(data)
            if picture is None or picture.shape[:2] != (self.height, self.width):
                self.stats.add(packets=1, busy_s=time.perf_counter() - begun)
                self.stats.damaged += 1
                continue
            frame = Frame(
                position,
                _letterboxed(picture, letterbox),
                plan.needs_keypoints(position),
                full_luma=_full_luma(position, picture) if plan.full_luma else None,
            )
            self.stats.add(packets=1, busy_s=time.perf_counter() - begun)
            self.stats.decoded += 1
            yield frame
        if not self.stats.decoded:
            raise CorruptVideo("no picture could be decoded")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height from the head of a JPEG or PNG file; nothing is decoded, however large it says it is.

    A JPEG is read as libjpeg reads it; where the two could differ it is refused.

    Source: ITU-T T.81, annex B; W3C Portable Network Graphics, 11.2.1.

    Raises:
        UnsupportedVideo: It is neither.
        TooLarge: A JPEG of more scans than any coder makes, each of which costs the time of a whole picture.
    """
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(_JPEG):
        size = _jpeg_size(data)
        if data.count(_SCAN) > MAX_SCANS:
            raise TooLarge(f"a JPEG picture of more than {MAX_SCANS} scans")
        return size
    raise UnsupportedVideo(_NOT_A_PICTURE)


def decode_picture(data: bytes) -> Image | None:
    """Decode a JPEG or PNG picture, as blue, green and red; None where it is damaged.

    A PNG whose chunks say that they are longer than the file is damaged: OpenCV would make memory for them
    first, up to 4 GB. What stands behind the last chunk is not shown to it either.
    """
    if data.startswith(_PNG):
        end = _end_of_png(data)
        if end is None:
            return None
        data = data[:end]
    # turned by its EXIF data a picture would not have the coordinates that the challenge speaks of
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    picture: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    return picture


def _end_of_png(data: bytes) -> int | None:
    """Where the last chunk ends; None if one is longer than the file, or if there is no picture in them."""
    at, shows = len(_PNG), False
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += _CHUNK_FRAME + length
        if at > len(data):
            return None
        shows |= kind == b"IDAT"
        if kind == b"IEND":
            break
    return at if shows else None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == _MARK:
        marker = data[at + 1]
        if marker == _MARK:  # filling
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        elif marker in _SIZES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if marker not in _SKIPPED or length < _LENGTH_BYTES:
                break
            at += 2 + length
    raise UnsupportedVideo(_NOT_A_PICTURE)


def _full_luma(position: int, picture: Image) -> LumaPicture:
    height, width = picture.shape[:2]
    scale = full_scale((width, height))
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return LumaPicture(position, resized(grey, (width, height), scale), scale)


def _letterboxed(picture: Image, letterbox: Letterbox) -> Image:
    how = cv2.INTER_AREA if letterbox.width <= letterbox.source_width else cv2.INTER_LINEAR
    small = cv2.cvtColor(
        cv2.resize(picture, (letterbox.width, letterbox.height), interpolation=how), cv2.COLOR_BGR2RGB
    )
    return letterbox.padded(small)
