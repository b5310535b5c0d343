"""Whatever is wrong with a file, it is answered or ends in a typed error; damage is drawn by seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from services.errors import VideoError
from services.frame_plan import FramePlan
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Letterbox
from services.video.source import MemorySource
from tests.support.odd_samples import of_fields, with_empty
from tests.support.odd_videos import DELAY, FAST_VP9, FRAGMENTED, edited
from tests.support.videos import make_video

LIMITS = DecodeLimits(max_frames=1000, max_pixels=1 << 21, threads=1)
SIZE: dict[str, Any] = {"frames": 8, "size": (64, 48)}
FILES: dict[str, Callable[[], bytes]] = {
    "index last": partial(make_video, **SIZE),
    "index first": partial(make_video, container_options={"movflags": "faststart"}, **SIZE),
    "HEVC": partial(make_video, codec="libx265", codec_options={"x265-params": "log-level=none"}, **SIZE),
    "edits": partial(edited, [(400, -1), (900, DELAY)], **SIZE),
    "packets without a picture": partial(with_empty, 0, 7, {}),
    "fields": partial(of_fields, apart=True),
    "fragmented": partial(make_video, container_options=FRAGMENTED, **SIZE),
    "VP9, MP4": partial(make_video, codec="libvpx-vp9", codec_options=FAST_VP9, **SIZE),
    "WebM": partial(make_video, codec="libvpx", container="webm", **SIZE),
    "MPEG-TS": partial(make_video, container="mpegts", **SIZE),
    "AVI": partial(make_video, codec="mpeg4", container="avi", **SIZE),
}
TRIES = 60


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, most of them in the index or the head; one in ten is cut off, too."""
    out = bytearray(data)
    index = max(0, data.find(b"moov"))
    for _ in range(rng.integers(1, 6)):
        at = int(
            rng.integers(index, min(len(out), index + 1200)) if rng.random() < 0.7 else rng.integers(len(out))
        )
        length = min(4, len(out) - at)
        match int(rng.integers(4)):
            case 0:
                out[at] = int(rng.integers(256))
            case 1:
                out[at] ^= 1 << int(rng.integers(8))
            case 2:
                out[at : at + length] = b"\xff" * length
            case _:
                out[at : at + length] = bytes(length)
    return bytes(out[: int(rng.integers(1, len(out)))] if rng.random() < 0.1 else out)


@pytest.mark.parametrize("name", FILES)
def test_damage_never_ends_in_anything_else(name: str) -> None:
    rng = np.random.default_rng(list(FILES).index(name))
    data = FILES[name]()
    answered = refused = 0
    for _ in range(TRIES):
        try:
            clip = open_clip(MemorySource(damaged(data, rng)), LIMITS)
            box = Letterbox.fit(clip.width, clip.height, 64)
            numbers = [frame.index for frame in clip.frames(FramePlan(2, clip.count), box)]
        except VideoError:
            refused += 1
        else:
            answered += 1
            assert numbers == sorted(set(numbers))
            assert numbers[-1] < clip.stats.count
    assert answered > 0
    assert refused > 0
