"""docs/reference/videos.md says what becomes of each kind of video; each is made and compared with OpenCV."""

from __future__ import annotations

import io
import re
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
import pytest

from services import errors
from services.frame_plan import FramePlan
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Letterbox
from services.video.source import MemorySource
from tests.support.broken_videos import BROKEN
from tests.support.odd_samples import SAMPLES
from tests.support.odd_videos import ODD
from tests.support.videos import read_number

PAGE = Path(__file__).parents[3] / "docs/reference/videos.md"
TEXT = PAGE.read_text()
ROW = re.compile(r"^\| (.+?) \| (index|container) \| (up to )?(\d+) \| (.+?) \|$", re.M)
ANSWERED = {
    name: (reader, bool(maximum), int(count), cv) for name, reader, maximum, count, cv in ROW.findall(TEXT)
}
REFUSED = dict(re.findall(r"^\| (.+?) \| `(\w+)` \|$", TEXT, re.M))
MAKERS = ODD | BROKEN | SAMPLES
LIMITS = DecodeLimits(max_frames=20_000, max_pixels=1920 * 1080)
Seen = tuple[tuple[int, int], list[tuple[int, int]]]


def ours(data: bytes, stride: int = 1) -> tuple[Seen, str, int]:
    """Size, (frame number, painted number) of each frame; the reader and the count."""
    clip = open_clip(MemorySource(data), LIMITS)
    box = Letterbox.fit(clip.width, clip.height, 320)
    frames = [
        (frame.index, read_number(frame.image)) for frame in clip.frames(FramePlan(stride, clip.count), box)
    ]
    return ((clip.width, clip.height), frames), clip.reader, clip.stats.count


def opencvs(data: bytes, folder: Path) -> Seen:
    """The same of who reads the file with cv2.VideoCapture from its beginning, as answers are checked."""
    (folder / "video").write_bytes(data)
    capture = cv2.VideoCapture(str(folder / "video"), cv2.CAP_FFMPEG)
    frames: list[tuple[int, int]] = []
    sizes = set()
    while True:
        found, picture = capture.read()
        if not found:
            break
        sizes.add((picture.shape[1], picture.shape[0]))
        frames.append((len(frames), read_number(np.asarray(picture, np.uint8))))
    capture.release()
    assert len(sizes) <= 1
    return (sizes.pop() if sizes else (0, 0)), frames


def all_decoded(data: bytes, size: tuple[int, int]) -> list[int]:
    """The painted number of each picture that FFmpeg decodes, of the track with frames of that size."""
    found: list[int] = []
    with av.open(io.BytesIO(data)) as container:
        streams = [one for one in container.streams.video if one.codec_context.width in (0, size[0])]
        stream = max(streams or container.streams.video, key=lambda one: one.frames)
        for packet in container.demux(stream):
            try:
                found += [read_number(picture.to_ndarray(format="rgb24")) for picture in packet.decode()]
            except av.error.FFmpegError:
                continue  # it holds no picture
    return found


def test_the_page_names_every_video_that_is_made_here_and_no_other() -> None:
    assert not ANSWERED.keys() & REFUSED.keys()
    assert sorted(ANSWERED.keys() | REFUSED.keys()) == sorted(MAKERS)


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(name: str, tmp_path: Path) -> None:
    reader, at_most, count, opencv = ANSWERED[name]
    data = MAKERS[name]()
    (size, frames), found_reader, found_count = ours(data)
    assert found_reader == reader
    assert count // 2 < found_count < count if at_most else found_count == count
    cv_size, cv_frames = opencvs(data, tmp_path)
    if name in SAMPLES:
        assert [number for number, _ in frames] == list(range(found_count))
        assert [painted for _, painted in frames] == all_decoded(data, size)
    if opencv == "the same" or name in SAMPLES:
        _, sampled = ours(data, 6)[0]
        assert sampled == [frames[number] for number in sorted({*range(0, found_count, 6), found_count - 1})]
    if opencv == "the same":
        assert cv_size == size
        assert cv_frames == frames
    elif opencv.startswith("another track"):
        assert cv_size != size
    elif opencv.startswith("as many"):
        assert cv_size == size
        assert len(cv_frames) == len(frames)
    else:
        assert opencv.startswith("fewer")
        assert len(cv_frames) < len(frames)
        assert not cv_frames or cv_size == size
        assert [painted for number, painted in frames if number < len(cv_frames)] == [n for _, n in cv_frames]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(errors.VideoError, match=r"; check the|MAX_\w+ allows|never read|cut into") as caught:
        ours(MAKERS[name]())
    assert type(caught.value).__name__ == REFUSED[name]
    assert not caught.value.retryable
