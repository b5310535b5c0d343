"""Every reader gives exactly the frames that were asked for, with their true numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.errors import ChallengeError, CorruptVideo, TooLarge, UnsupportedVideo
from services.video import decode, indexed
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.picture import Frame, Letterbox
from services.video.plan import FramePlan
from services.video.source import MemorySource
from tests.support.videos import make_video, read_number

LIMITS = DecodeLimits(max_frames=1000, max_pixels=1920 * 1080)


def frames_of(data: bytes, stride: int = 1, limits: DecodeLimits = LIMITS) -> tuple[Clip, list[Frame]]:
    clip = open_clip(MemorySource(data), limits)
    box = Letterbox.fit(clip.width, clip.height, 320)
    return clip, list(clip.frames(FramePlan(stride, clip.count), box))


def check_numbers(found: list[Frame], expected: list[int]) -> None:
    assert [frame.index for frame in found] == expected
    assert [read_number(frame.image) for frame in found] == expected


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "h264 with B-frames, index last": ({}, "index"),
    "index first": ({"container_options": {"movflags": "faststart"}}, "index"),
    "no B-frames": ({"codec_options": {"bf": "0"}}, "index"),
    "B-pyramid": ({"codec_options": {"x264-params": "bframes=5:b-pyramid=normal"}}, "index"),
    "every frame a key frame": ({"gop": 1}, "index"),
    "hevc": ({"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}}, "index"),
    "variable frame rate": ({"times": [i * 40 + (i % 3) * 9 for i in range(30)]}, "index"),
    "mov": ({"container": "mov"}, "index"),
    "fragmented": ({"container_options": {"movflags": "frag_keyframe+empty_moov"}}, "container"),
    "webm": ({"codec": "libvpx", "container": "webm", "codec_options": {"b": "2M"}}, "container"),
    "mpegts": ({"container": "mpegts"}, "container"),
    "odd size": ({"size": (322, 190)}, "index"),
    "4:2:2, 10 bit": ({"pixels": "yuv422p10le"}, "index"),
    "4:4:4": ({"pixels": "yuv444p"}, "index"),
}


def test_the_table_in_the_docs_is_this_one() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/videos.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (index|container) \|$", page, re.M)
    assert dict(rows) == {kind: reader for kind, (_, reader) in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stride", [1, 6])
def test_every_kind_gives_the_right_frames(kind: str, stride: int) -> None:
    options, reader = KINDS[kind]
    clip, found = frames_of(make_video(**options), stride)
    assert clip.reader == reader
    expected = list(range(0, 30, stride))
    if clip.count is not None and 29 not in expected:
        expected.append(29)
    check_numbers(found, expected)
    assert clip.stats.count == 30


def test_frames_that_nothing_refers_to_are_not_decoded_and_the_rest_is_the_same_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_video(frames=60, codec_options={"x264-params": "bframes=3:b-adapt=0"})
    clip, skipped = frames_of(data, stride=6)
    assert clip.stats.dropped == 15
    monkeypatch.setattr(indexed, "is_unreferenced", lambda *_: False)
    clip, whole = frames_of(data, stride=6)
    assert clip.stats.dropped == 0
    monkeypatch.setattr(decode, "read_index", lambda _: None)
    clip, general = frames_of(data, stride=6)
    assert clip.reader == "container"
    for a, b, c in zip(skipped, whole, [f for f in general if f.index < 60], strict=False):
        assert a.index == b.index == c.index
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.image, c.image)


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


def rotated() -> bytes:
    data = bytearray(make_video())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    )
    return bytes(data)


def without_frames() -> bytes:
    data = bytearray(make_video())
    at = data.index(b"stsz") + 12
    data[at : at + 4] = bytes(4)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", UnsupportedVideo, "not a video"),
        (b"<html>404</html>" * 50, UnsupportedVideo, "not a video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), UnsupportedVideo, "not a video"),
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nhttp://127.0.0.1:1/a.ts\n" * 20,
            UnsupportedVideo,
            "not a video",
        ),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", UnsupportedVideo, "not a video"),
        (rotated(), UnsupportedVideo, "rotated"),
        (without_frames(), CorruptVideo, "no frames"),
    ],
    ids=["empty", "html", "png", "playlist", "concat", "rotated", "zero frames"],
)
def test_refused(data: bytes, error: type[ChallengeError], text: str) -> None:
    with pytest.raises(error, match=text):
        frames_of(data)


def test_limits() -> None:
    data = make_video()
    with pytest.raises(TooLarge, match="MAX_FRAMES"):
        frames_of(data, 1, DecodeLimits(29, 1 << 22))
    with pytest.raises(TooLarge, match="MAX_PIXELS"):
        frames_of(data, 1, DecodeLimits(1000, 320 * 191))
    stream = make_video(container="mpegts")
    with pytest.raises(TooLarge, match="MAX_FRAMES"):
        frames_of(stream, 1, DecodeLimits(29, 1 << 22))
