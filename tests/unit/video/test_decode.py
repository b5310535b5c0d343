"""Every reader gives exactly the frames that were asked for, with their true numbers."""

from __future__ import annotations

import numpy as np
import pytest

from services.errors import CorruptVideo, TooLarge
from services.frame_plan import FramePlan
from services.video import decode
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.letterbox import Frame, Letterbox
from services.video.source import MemorySource
from tests.support.odd_videos import encode, numbered, of_two_sizes
from tests.support.videos import make_video, read_number

LIMITS = DecodeLimits(max_frames=1000, max_pixels=1920 * 1080)


def frames_of(data: bytes, stride: int = 1, limits: DecodeLimits = LIMITS) -> tuple[Clip, list[Frame]]:
    clip = open_clip(MemorySource(data), limits)
    box = Letterbox.fit(clip.width, clip.height, 320)
    return clip, list(clip.frames(FramePlan(stride, clip.count), box))


def check_numbers(found: list[Frame], expected: list[int]) -> None:
    assert [frame.index for frame in found] == expected
    assert [read_number(frame.image) for frame in found] == expected


def test_the_general_demuxer_gives_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_video(frames=60, codec_options={"x264-params": "bframes=3:b-adapt=0"})
    clip, own = frames_of(data, stride=6)
    assert clip.reader == "index"
    monkeypatch.setattr(decode, "read_index", lambda _: None)
    clip, general = frames_of(data, stride=6)
    assert clip.reader == "container"
    assert [f.index for f in own] == [f.index for f in general]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(own, general, strict=True))


def test_threads_do_not_change_a_pixel() -> None:
    data = make_video(frames=40)
    one = frames_of(data, 3, DecodeLimits(1000, 1 << 22, threads=1))[1]
    many = frames_of(data, 3, DecodeLimits(1000, 1 << 22, threads=4))[1]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, many, strict=True))


def test_single_frame() -> None:
    check_numbers(frames_of(make_video(frames=1), 6)[1], [0])


@pytest.mark.parametrize("faststart", [True, False])
def test_truncated(faststart: bool) -> None:
    data = make_video(container_options={"movflags": "faststart"} if faststart else {})
    with pytest.raises(CorruptVideo, match="cut off"):
        frames_of(data[: len(data) * 2 // 3])


def test_truncated_on_purpose_gives_what_came() -> None:
    data = make_video(container_options={"movflags": "faststart"})
    clip, found = frames_of(data[: len(data) * 2 // 3], 1, DecodeLimits(1000, 1 << 22, allow_cut=True))
    assert 5 < len(found) < 30
    assert [read_number(f.image) for f in found] == [f.index for f in found]
    assert clip.count == 30


def test_damage_in_the_middle_costs_frames_not_the_clip() -> None:
    data = bytearray(make_video(frames=60, container_options={"movflags": "faststart"}))
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[start : start + 3000] = np.random.default_rng(0).bytes(3000)
    clip, found = frames_of(bytes(data))
    assert 20 < len(found) <= 60
    assert clip.stats.count == 60


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_where_pictures_are_missing_in_mid_file_the_order_of_decoding_counts(codec: str) -> None:
    data = encode(numbered(count=60), codec, key_frames=1)
    clip, found = frames_of(data)
    assert [frame.index for frame in found] == list(range(clip.stats.count))
    assert clip.stats.count < 56
    assert clip.reader == "container"
    assert "shown" in clip.stats.index_disagrees


def test_limits() -> None:
    data = make_video()
    with pytest.raises(TooLarge, match="MAX_FRAMES"):
        frames_of(data, 1, DecodeLimits(29, 1 << 22))
    with pytest.raises(TooLarge, match="MAX_PIXELS"):
        frames_of(data, 1, DecodeLimits(1000, 320 * 191))
    for container in ("mp4", "mpegts"):
        with pytest.raises(TooLarge, match=r"pictures (of|coded as) 640x384; MAX_PIXELS allows 61440"):
            frames_of(of_two_sizes(container), 1, DecodeLimits(1000, 320 * 192))
    stream = make_video(container="mpegts")
    with pytest.raises(TooLarge, match="MAX_FRAMES"):
        frames_of(stream, 1, DecodeLimits(29, 1 << 22))
