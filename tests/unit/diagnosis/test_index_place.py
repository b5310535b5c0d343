"""Where an MP4 file has its index, by its first bytes."""

from __future__ import annotations

import struct

from services.diagnosis.origin_facts import index_place


def box(kind: bytes, size: int = 16) -> bytes:
    return struct.pack(">I4s", size, kind) + bytes(size - 8)


def test_the_index_before_the_frames_is_at_the_front() -> None:
    assert index_place(box(b"ftyp") + box(b"free") + box(b"moov")) == "front"


def test_the_frames_before_the_index_put_it_at_the_end() -> None:
    assert index_place(box(b"ftyp") + box(b"mdat", 5000)[:64]) == "end"


def test_a_box_longer_than_what_was_asked_for_hides_the_index_behind_it() -> None:
    assert index_place(box(b"ftyp") + struct.pack(">I4s", 1 << 30, b"free")) == "end"


def test_another_format_has_none() -> None:
    assert index_place(b"\x1aE\xdf\xa3" + bytes(100)) == "none"
    assert index_place(b"") == "none"
