"""MP4 files put together from packets, so that their index can say what no muxer writes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.video.mp4_index import read_index
from services.video.source import MemorySource
from tests.support.mp4_boxes import box, boxes, edit_boxes

TICK = 512
"""Time of a frame in the track's units, as FFmpeg's MP4 muxer chooses them for 25 fps."""


@dataclass
class Packets:
    """The packets of a video track in decoding order.

    Attributes:
        data: Bytes of each.
        numbers: Place of each in the order of display; packets at the same place follow each other.
        sync: Positions of the key frames.
        ticks: Time between two places.
    """

    data: list[bytes]
    numbers: list[int]
    sync: list[int] = field(default_factory=list)
    ticks: int = TICK

    def with_each(self, change: Callable[[int, bytes], Sequence[bytes]]) -> Packets:
        """The same packets, each replaced by those that `change` makes of it (position, data)."""
        out = Packets([], [], [], self.ticks)
        before: list[tuple[int, int]] = []
        for position, data in enumerate(self.data):
            made = change(position, data)
            if position in self.sync:
                out.sync.append(len(out.data))
            for place, piece in enumerate(made):
                before.append((self.numbers[position], place))
                out.data.append(piece)
        places = {key: number for number, key in enumerate(sorted(before))}
        out.numbers = [places[key] for key in before]
        return out


def packets_of(data: bytes) -> Packets:
    """The packets of an MP4 file with a plain index."""
    index = read_index(MemorySource(data))
    assert index is not None
    pieces = [
        data[int(at) : int(at) + int(size)] for at, size in zip(index.offsets, index.sizes, strict=True)
    ]
    return Packets(pieces, index.display.tolist(), index.sync.tolist())


def units(packet: bytes) -> list[bytes]:
    """The NAL units of a packet with lengths of four bytes."""
    found, at = [], 0
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        found.append(packet[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def packet(*nal_units: bytes) -> bytes:
    """A packet of NAL units with lengths of four bytes."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in nal_units)


def rebuilt(
    data: bytes, packets: Packets, entry: Callable[[bytes], bytes] = lambda content: content
) -> bytes:
    """The MP4 file with these packets instead of its own, the index last; no edits.

    Args:
        data: The file.
        packets: What it shall hold.
        entry: Changes the content of `stsd`.
    """
    count, delay = len(packets.data), max(0, *(at - n for at, n in enumerate(packets.numbers)))
    offsets = [(number + delay - at) * packets.ticks for at, number in enumerate(packets.numbers)]
    head = b"".join(box(kind, content) for kind, content in boxes(data) if kind == b"ftyp")
    moov = box(b"moov", dict(boxes(data))[b"moov"])
    tables = {
        b"stsz": struct.pack(f">III{count}I", 0, 0, count, *map(len, packets.data)),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, count, 1),
        b"stco": struct.pack(">III", 0, 1, len(head) + 8),
        b"stts": struct.pack(">IIII", 0, 1, count, packets.ticks),
        b"ctts": struct.pack(">II", 0, count) + b"".join(struct.pack(">II", 1, offset) for offset in offsets),
        b"stss": struct.pack(
            f">II{len(packets.sync)}I", 0, len(packets.sync), *(at + 1 for at in packets.sync)
        ),
        b"edts": b"",
    }
    for kind, content in tables.items():
        moov = edit_boxes(moov, kind, lambda _, content=content: content)  # type: ignore[misc]
    moov = edit_boxes(moov, b"stsd", entry)
    return head + box(b"mdat", b"".join(packets.data)) + moov


def entry_of(data: bytes) -> bytes:
    """The content of `stsd` of an MP4 file."""
    found: list[bytes] = []

    def keep(content: bytes) -> bytes:
        found.append(content)
        return content

    edit_boxes(box(b"moov", dict(boxes(data))[b"moov"]), b"stsd", keep)
    return found[0]
