"""Picture sizes are read from the streams that FFmpeg's encoders make, of every shape."""

from __future__ import annotations

from typing import Any

import pytest

from services.video.mp4_index import read_index
from services.video.parameter_sets import read_stream_parameters
from services.video.source import MemorySource
from tests.support.videos import make_video

X265 = {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}}


@pytest.mark.parametrize(
    "options",
    [
        {"size": (320, 192)},
        {"size": (322, 190)},
        {"size": (1920, 1080)},
        {"size": (322, 190), "codec_options": {"profile": "baseline"}},
        {"size": (322, 190), "codec_options": {"x264-params": "cqm=jvt"}},
        {"size": (321, 187), "pixels": "yuv444p"},
        {"size": (322, 187), "pixels": "yuv422p10le"},
        {"size": (321, 187), "pixels": "gray"},
        {"size": (322, 190), **X265},
        {"size": (1920, 1080), **X265},
        {"size": (322, 190), "pixels": "yuv444p", **X265},
        {"size": (322, 190), "pixels": "yuv422p10le", **X265},
    ],
    ids=str,
)
def test_size(options: dict[str, Any]) -> None:
    index = read_index(MemorySource(make_video(frames=5, **options)))
    assert index is not None
    assert (index.width, index.height) == options["size"]
    assert read_stream_parameters(index.codec, index.extradata).size == options["size"]


@pytest.mark.parametrize(
    ("options", "reordered"),
    [
        ({}, True),
        ({"codec_options": {"bf": "0"}}, False),
        ({"codec_options": {"profile": "baseline"}}, False),
        ({"gop": 1}, False),
        ({"codec_options": {"x264-params": "bframes=3:nal-hrd=vbr:vbv-bufsize=1000:vbv-maxrate=1000"}}, True),
        (
            {"codec_options": {"x264-params": "bframes=0:nal-hrd=vbr:vbv-bufsize=1000:vbv-maxrate=1000"}},
            False,
        ),
        ({"codec_options": {"x264-params": "bframes=0:sar=7/5:videoformat=pal:fullrange=on"}}, False),
        (X265, True),
        ({**X265, "codec_options": {"x265-params": "log-level=none:bframes=0"}}, False),
    ],
    ids=str,
)
def test_order(options: dict[str, Any], reordered: bool) -> None:
    index = read_index(MemorySource(make_video(**options)))
    assert index is not None
    assert read_stream_parameters(index.codec, index.extradata).reordered == reordered


def test_pictures_that_may_be_coded_as_fields_are_left_to_the_demuxer() -> None:
    data = make_video(frames=5, size=(322, 188), codec_options={"x264-params": "tff=1"})
    assert read_index(MemorySource(data)) is None


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("record", [b"", b"\1" + bytes(30), b"\1\x64\0\x1f\xff\xe1\0\4\x67\x64\0\x1f"])
def test_a_record_without_a_whole_set_is_an_error(codec: str, record: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_stream_parameters(codec, record)
