"""Files whose sample tables unfold to more than memory holds, and indexes of boxes without end."""

from __future__ import annotations

import struct
from functools import partial

import pytest

from services.errors import TooLarge
from services.video.decode import DecodeLimits, open_clip
from services.video.mp4_boxes import MAX_CHILDREN, children
from services.video.source import MemorySource
from services.video.table_limits import check_tables
from tests.support.mp4_boxes import box, boxes, edit_boxes
from tests.support.videos import make_video

LIMITS = DecodeLimits(20_000, 3840 * 2160)


def _instead(content: bytes, _: bytes) -> bytes:
    return content


def with_samples(count: int) -> bytes:
    """A video of a codec that our own index leaves to FFmpeg, which says that it has so many samples."""
    video = make_video(1, codec="mpeg4", codec_options={"bf": "0"})
    parts = dict(boxes(video))
    moov = box(b"moov", parts[b"moov"])
    tables = {
        b"stts": struct.pack(">4I", 0, 1, count, 512),
        b"stsz": struct.pack(">3I", 0, 1, count),
        b"stsc": struct.pack(">5I", 0, 1, 1, count, 1),
    }
    for kind, content in tables.items():
        moov = edit_boxes(moov, kind, partial(_instead, content))
    return video[: video.index(b"mdat") - 4] + box(b"mdat", parts[b"mdat"]) + moov


@pytest.mark.parametrize("count", [20_001, 1_000_001, 4_000_000_000])
def test_tables_that_unfold_to_too_much_are_refused(count: int) -> None:
    with pytest.raises(TooLarge, match=str(count)):
        open_clip(MemorySource(with_samples(count)), LIMITS)


def with_runs_of(count: int) -> bytes:
    """A fragmented video whose runs say that they have so many samples, and nothing about any of them."""
    run = struct.pack(">3I", 1, count, 8)
    video = make_video(30, container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    return edit_boxes(video, b"trun", partial(_instead, run))


@pytest.mark.parametrize("count", [1_000_001, 4_000_000_000])
def test_runs_of_fragments_that_unfold_to_too_much_are_refused(count: int) -> None:
    with pytest.raises(TooLarge, match=str(count)):
        open_clip(MemorySource(with_runs_of(count)), LIMITS)


def test_runs_are_found_wherever_ffmpeg_looks_for_them() -> None:
    video = with_runs_of(1_000_001)
    hidden = box(b"udta", dict(boxes(video))[b"moof"])
    with pytest.raises(TooLarge, match="samples"):
        open_clip(MemorySource(video[: video.index(b"moof") - 4] + hidden), LIMITS)


def test_an_edit_list_that_repeats_the_clip_without_end_is_refused() -> None:
    edits = struct.pack(">II", 0, 100_000) + struct.pack(">Iii", 1000, 0, 1 << 16) * 100_000
    video = make_video(30, codec="mpeg4", codec_options={"bf": "0"})
    moov = edit_boxes(box(b"moov", dict(boxes(video))[b"moov"]), b"elst", partial(_instead, edits))
    with pytest.raises(TooLarge, match="100000 edits of 30 samples"):
        open_clip(MemorySource(video[: video.index(b"moov") - 4] + moov), LIMITS)


def test_an_index_of_boxes_without_end_is_refused() -> None:
    head = box(b"ftyp", b"isom\0\0\2\0isom")
    moov = box(b"moov", box(b"free", b"") * (MAX_CHILDREN + 1))
    with pytest.raises(TooLarge, match="boxes"):
        open_clip(MemorySource(head + moov), LIMITS)


def test_a_box_whose_long_size_is_cut_off_is_left_to_ffmpeg() -> None:
    cut_off = struct.pack(">I4sI", 1, b"trak", 0)

    check_tables(cut_off)

    with pytest.raises(ValueError, match="longer than what holds it"):
        children(cut_off)
