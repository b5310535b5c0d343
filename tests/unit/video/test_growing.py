"""How much of a file must have arrived before it is opened, refused, or gives its first frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.errors import CorruptVideo, StreamStalled, TooLarge
from services.frame_plan import FramePlan
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Letterbox
from services.video.source import MemorySource
from tests.support.broken_videos import long_video
from tests.support.odd_videos import FAST_VP9, FRAGMENTED
from tests.support.videos import make_video

LIMITS = DecodeLimits(max_frames=20_000, max_pixels=1920 * 1080)
VP9: dict[str, Any] = {"codec": "libvpx-vp9", "codec_options": FAST_VP9}


class Stalling(MemorySource):
    """Bytes of which only some parts can be read; what else is asked for never comes."""

    def __init__(self, data: bytes, *parts: range) -> None:
        super().__init__(data)
        self._parts = parts

    def _left(self, offset: int) -> int:
        return max((part.stop - offset for part in self._parts if offset in part), default=0)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < len(self._data) and self._left(offset) < min(length, len(self._data) - offset):
            raise StreamStalled("nothing comes")
        return super().read_at(offset, length)

    def read_some(self, offset: int, maximum: int) -> bytes:
        if offset < len(self._data) and not self._left(offset):
            raise StreamStalled("nothing comes")
        return super().read_some(offset, min(maximum, self._left(offset)))


@pytest.mark.parametrize(
    "options",
    [
        {"container_options": {"movflags": "faststart"}},
        {"container_options": FRAGMENTED},
        {"container_options": {"movflags": "dash+frag_keyframe+empty_moov+global_sidx"}},
        {"container_options": {"movflags": "faststart"}, **VP9},
        {"container": "webm", **VP9},
        {"container": "matroska"},
        {"container": "mpegts"},
    ],
    ids=str,
)
def test_the_first_frames_need_the_first_half_only_and_a_stall_behind_is_told(
    options: dict[str, Any],
) -> None:
    data = make_video(frames=120, **options)
    clip = open_clip(Stalling(data, range(len(data) // 2)), LIMITS)
    frames = clip.frames(FramePlan(1, clip.count), Letterbox.fit(clip.width, clip.height, 320))
    seen = [next(frames).index for _ in range(20)]
    assert seen == list(range(20))
    with pytest.raises(StreamStalled):
        list(frames)


@pytest.mark.parametrize("first", [True, False])
def test_two_hours_are_refused_by_the_index_alone(first: bool) -> None:
    data = long_video(first=first)
    index = data.rindex(b"moov") - 4
    last = range(index, len(data))
    head = range(index + 4000) if first else range(64)
    with pytest.raises(TooLarge, match="180000 frames; MAX_FRAMES allows 20000"):
        open_clip(Stalling(data, head, *([] if first else [last])), LIMITS)


@pytest.mark.parametrize(
    "options",
    [{"container": "webm", **VP9}, {"container_options": {"movflags": "faststart"}, **VP9}],
    ids=str,
)
def test_other_files_that_say_how_long_they_are_are_refused_by_their_head(options: dict[str, Any]) -> None:
    data = make_video(frames=60, **options)
    with pytest.raises(TooLarge, match="60 frames; MAX_FRAMES allows 20"):
        open_clip(Stalling(data, range(len(data) // 2)), replace(LIMITS, max_frames=20))


def test_a_file_that_is_cut_off_is_refused_before_the_rest_of_it_comes() -> None:
    data = make_video(frames=120, container_options={"movflags": "faststart"})
    kept = data[: len(data) * 2 // 3]
    with pytest.raises(CorruptVideo, match="cut off"):
        open_clip(Stalling(kept, range(len(data) // 4)), LIMITS)
