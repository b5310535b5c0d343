"""Editing the boxes of an MP4 file whose index stands last, where nothing else moves when it grows."""

from __future__ import annotations

import struct
from collections.abc import Callable

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf"}
Edit = Callable[[bytes], bytes]


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes in `data`: kind and content, of sizes that fit 32 bits."""
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append((kind, data[at + 8 : at + size]))
        at += size
    return found


def box(kind: bytes, content: bytes) -> bytes:
    """One box."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def edit_boxes(data: bytes, kind: bytes, edit: Edit) -> bytes:
    """Replace the content of every box of a kind, at any depth, by what `edit` makes of it."""
    out = b""
    for found, content in boxes(data):
        if found == kind:
            content = edit(content)
        elif found in CONTAINERS:
            content = edit_boxes(content, kind, edit)
        out += box(found, content)
    return out
