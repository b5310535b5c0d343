"""The boxes that an MP4 file is made of, and the way to the one that is the index.

Format: ISO/IEC 14496-12, 4.2 (boxes), 6.2.3 (their order).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from services.errors import CorruptVideo, TooLarge
from services.video.source import ByteSource

MAX_MOOV = 64 << 20
"""Bytes of an index that are read; that of a clip of 15 minutes has about one million."""
MAX_BOXES = 1000
"""So many boxes may stand before the index; more are a trap, not a video."""
MAX_CHILDREN = 10_000
"""So many boxes may stand in one other; tables have rows, not boxes, so that real files have some dozens."""
_TOP_LEVEL = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"udta",
    b"uuid",
    b"meta",
    b"moof",
    b"sidx",
}
_TOP_LEVEL |= {b"styp", b"pdin", b"emsg", b"prft"}


@dataclass(frozen=True, slots=True)
class Moov:
    """The index of an MP4 file, as bytes.

    Attributes:
        content: What is in the `moov` box.
        last: Whether it stood behind the frames.
    """

    content: bytes
    last: bool

    @property
    def announces_fragments(self) -> bool:
        """Whether frames are described bit by bit behind it (`moof`), not in it."""
        try:
            return any(kind == b"mvex" for kind, _ in boxes(self.content))
        except (struct.error, ValueError):
            return False


def find_moov(source: ByteSource) -> Moov | None:
    """Find and read the index, waiting only for its bytes, wherever in the file it stands.

    Returns:
        The index, or None if this is not an MP4 file or fragments come first.

    Raises:
        CorruptVideo: The index is missing or cut off.
        TooLarge: An index of more than 64 MB.
    """
    offset, seen_mdat = 0, False
    for _ in range(MAX_BOXES):
        head = source.read_at(offset, 16)
        if len(head) < 8:
            if offset == 0:
                return None
            raise CorruptVideo("the video is cut off before its index (moov); check the file", stage="index")
        size, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        if offset == 0 and kind not in _TOP_LEVEL:
            return None
        if kind == b"moof":
            return None
        if kind == b"moov" and size == 0:
            # it goes on to the end of the file
            moov = source.read_at(offset + header, MAX_MOOV + 1)
            size = header + len(moov)
        if kind == b"moov":
            if size > MAX_MOOV:
                raise TooLarge(
                    f"the index (moov) says it has {size} bytes, at most {MAX_MOOV} are read; "
                    "a damaged file, or one to be cut into shorter ones",
                    stage="index",
                )
            moov = source.read_at(offset + header, size - header)
            if len(moov) < size - header:
                raise CorruptVideo(
                    "the video is cut off within its index (moov); check the file", stage="index"
                )
            return Moov(moov, seen_mdat)
        if size < header:
            raise CorruptVideo("the video has no index (moov); check the file", stage="index")
        seen_mdat |= kind == b"mdat"
        offset += size
    raise CorruptVideo(f"no index (moov) within the first {MAX_BOXES} boxes; check the file", stage="index")


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes in `data`, one after the other.

    Raises:
        ValueError: One does not end where it should.
        TooLarge: There are more than any video has.
    """
    at = found = 0
    while at + 8 <= len(data):
        found += 1
        if found > MAX_CHILDREN:
            raise TooLarge(f"more than {MAX_CHILDREN} boxes in one other; not a video", stage="index")
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if size == 1 and at + 16 <= len(data):
            size, header = struct.unpack(">Q", data[at + 8 : at + 16])[0], 16
        elif size == 0:
            size = len(data) - at
        if size < header or at + size > len(data):
            raise ValueError(f"box {kind!r} is longer than what holds it")
        yield kind, data[at + header : at + size]
        at += size


def children(data: bytes) -> dict[bytes, bytes]:
    """The same by kind; the first of each."""
    found: dict[bytes, bytes] = {}
    for kind, body in boxes(data):
        found.setdefault(kind, body)
    return found
