from __future__ import annotations

import numpy as np

from services.byte_span import ByteSpan
from services.frame_plan import FramePlan
from services.sampling.needed_bytes import GAP, needed_bytes
from services.sampling.profiles import make_plan
from services.video.mp4_index import Mp4Index

SIZE = 2 * GAP


def index(groups: int = 4, frames: int = 10, size: int = SIZE) -> Mp4Index:
    count = groups * frames
    return Mp4Index(
        codec="h264",
        extradata=b"",
        width=1280,
        height=720,
        offsets=1000 + size * np.arange(count),
        sizes=np.full(count, size),
        pts=np.arange(count),
        display=np.arange(count),
        sync=np.arange(0, count, frames),
    )


def test_a_plan_of_key_frames_needs_their_bytes_and_the_last_group() -> None:
    clip = index()
    spans = needed_bytes(clip, make_plan("keyframes", clip, 40, 6))
    assert spans == [ByteSpan(1000 + SIZE * at, 1000 + SIZE * (at + 1)) for at in (0, 10, 20)] + [
        ByteSpan(1000 + SIZE * 30, 1000 + SIZE * 40)
    ]


def test_small_holes_are_fetched_as_well() -> None:
    clip = index(size=100)  # nine frames behind each key frame are a hole of 900 bytes
    assert needed_bytes(clip, make_plan("keyframes", clip, 40, 6)) is None


def test_where_the_next_group_begins_is_looked_at() -> None:
    clip = index()
    # the second group has no wanted frame; that the first one ends there its first bytes say
    spans = needed_bytes(clip, FramePlan(20, 40, 1, (0, 20, 30)))
    assert spans == [ByteSpan(1000 + SIZE * at, 1000 + SIZE * (at + 1)) for at in (0, 10, 20, 30)]


def test_nearly_everything_is_everything() -> None:
    clip = index()
    assert needed_bytes(clip, make_plan("every", clip, 40, 3)) is None
    assert needed_bytes(None, FramePlan(6, None)) is None
