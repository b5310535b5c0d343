"""What the runs of samples in a fragmented MP4 file unfold to, before FFmpeg unfolds them.

A run (`trun`) may state a number of samples and nothing about any of them, so that 20 bytes stand for four
thousand million. FFmpeg looks for runs in every box that it knows, wherever it stands.

Format: ISO/IEC 14496-12, 8.8.8 (trun).
"""

from __future__ import annotations

import struct
from typing import Final

from services.errors import TooLarge
from services.video.mp4_boxes import MAX_MOOV
from services.video.mp4_index import MAX_SAMPLES
from services.video.source import ByteSource

_SEARCHED: Final = frozenset(
    b"moof traf trun moov trak mdia minf stbl edts dinf mvex udta meta tref wave".split()
)
"""Boxes in which FFmpeg looks for others; all other ones it reads as they are, or skips."""
_RUN: Final = struct.Struct(">4sII")
"""Kind, version with flags, number of samples."""


class FragmentLimits(ByteSource):
    """A source of an MP4 file, whose reader gets no box of more runs than are ever read.

    Args:
        source: The file.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._next_box = 0
        self._samples = 0

    @property
    def size(self) -> int | None:
        """See `ByteSource`."""
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource`.

        Raises:
            TooLarge: The runs up to there have more samples than are ever read.
        """
        data = self._source.read_at(offset, length)
        self._check(offset + len(data))
        return data

    def read_some(self, offset: int, maximum: int) -> bytes:
        """See `ByteSource`.

        Raises:
            TooLarge: The runs up to there have more samples than are ever read.
        """
        data = self._source.read_some(offset, maximum)
        self._check(offset + len(data))
        return data

    def wait_complete(self) -> None:
        """See `ByteSource`."""
        self._source.wait_complete()

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        """See `ByteSource`."""
        self._source.wait_for(offset, length, timeout)

    def fetches(self, offset: int, length: int) -> bool:
        """See `ByteSource`."""
        return self._source.fetches(offset, length)

    def release(self, before: int) -> None:
        """See `ByteSource`; what is not checked yet is kept."""
        self._source.release(min(before, self._next_box))

    def _check(self, end: int) -> None:
        while self._next_box < end:
            head = self._source.read_at(self._next_box, 16)
            if len(head) < 8:
                self._next_box = end
                return
            size, kind = struct.unpack(">I4s", head[:8])
            if size == 1 and len(head) == 16:
                (size,) = struct.unpack(">Q", head[8:])
            if kind in _SEARCHED:
                self._count(self._source.read_at(self._next_box, min(size or MAX_MOOV, MAX_MOOV)))
            # 0: to the end of the file
            self._next_box += max(size, 8) if size else end

    def _count(self, content: bytes) -> None:
        at = content.find(b"trun")
        while at >= 0:
            if len(content) >= at + _RUN.size:
                self._samples += int(_RUN.unpack_from(content, at)[2])
            at = content.find(b"trun", at + 4)
        if self._samples > MAX_SAMPLES:
            raise TooLarge(f"{self._samples} samples; more than {MAX_SAMPLES} are never read", stage="index")
