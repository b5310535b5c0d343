from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.errors import CorruptVideo, TooLarge, UnsupportedVideo
from services.frame_plan import FramePlan
from services.video.letterbox import Letterbox
from services.video.picture_clip import PictureClip, picture_size
from tests.support.videos import numbered_picture, read_number

PIXELS = 640 * 480


def encoded(image: npt.NDArray[np.uint8], suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


def clip_of(pictures: list[bytes]) -> PictureClip:
    return PictureClip(len(pictures), pictures.__getitem__, PIXELS)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_are_numbered_by_position_and_keep_their_content(suffix: str) -> None:
    clip = clip_of([encoded(numbered_picture(100 + i, 320, 192), suffix) for i in range(4)])
    assert (clip.width, clip.height, clip.count) == (320, 192, 4)
    box = Letterbox.fit(320, 192, 320)
    frames = list(clip.frames(FramePlan(1, 4), box))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [read_number(frame.image) for frame in frames] == [100, 101, 102, 103]
    assert frames[0].image.shape == (box.input_height, box.input_width, 3)
    assert clip.stats.decoded == 4


def test_colours_are_rgb() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    (frame,) = clip_of([encoded(red)]).frames(FramePlan(1, 1), Letterbox.fit(64, 64, 64))
    assert frame.image[32, 32].tolist() == [255, 0, 0]


def test_pictures_come_with_their_luma_at_full_size_where_the_plan_says_so() -> None:
    picture = numbered_picture(7, 320, 192)
    box = Letterbox.fit(320, 192, 160)
    (without,) = clip_of([encoded(picture)]).frames(FramePlan(1, 1), box)
    (frame,) = clip_of([encoded(picture)]).frames(FramePlan(1, 1, full_luma=True), box)
    assert without.full_luma is None
    assert frame.full_luma is not None
    assert frame.full_luma.scale == 1.0
    assert np.array_equal(frame.full_luma.luma, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_size_is_read_without_decoding(suffix: str) -> None:
    assert picture_size(encoded(np.zeros((48, 80, 3), np.uint8), suffix)[:700]) == (80, 48)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + bytes(50), b"\xff\xd8\xff", b"\xff\xd8" + b"\xff" * 40, b"<html>"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedVideo, match="neither a JPEG nor a PNG"):
        clip_of([data])


def test_a_picture_that_says_it_is_huge_is_refused_before_it_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR"
    with pytest.raises(TooLarge, match="60000x60000"):
        clip_of([header + (60000).to_bytes(4, "big") * 2 + bytes(9)])
    with pytest.raises(UnsupportedVideo, match="too small"):
        clip_of([encoded(np.zeros((8, 8, 3), np.uint8))])


SIZE = b"\xff\xc0\x00\x11\x08" + (64).to_bytes(2, "big") * 2 + bytes(10)


@pytest.mark.parametrize(
    "before",
    [b"\xff\x00\x00\x20", b"\xff\xe0\x00\x00", b"\xff\xd8", b"\xff\xd9", b"\xff\x02\x00\x04\0\0", b"\x00"],
    ids=["stuffing", "no length", "second start", "end", "reserved", "garbage"],
)
def test_a_jpeg_that_its_decoder_may_read_otherwise_is_refused(before: bytes) -> None:
    assert picture_size(b"\xff\xd8" + SIZE) == (64, 64)
    with pytest.raises(UnsupportedVideo, match="neither a JPEG nor a PNG"):
        picture_size(b"\xff\xd8" + before + SIZE)


def test_a_jpeg_of_scans_without_end_is_refused() -> None:
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00"
    with pytest.raises(TooLarge, match="scans"):
        picture_size(b"\xff\xd8" + SIZE + scan * 5000)


def test_sizes_must_agree_and_damaged_ones_are_left_out() -> None:
    whole = encoded(numbered_picture(1, 320, 192))
    damaged = whole[:33] + bytes(40)
    clip = clip_of([whole, damaged, whole])
    box = Letterbox.fit(320, 192, 320)
    assert [frame.index for frame in clip.frames(FramePlan(1, 3), box)] == [0, 2]
    assert clip.stats.damaged == 1
    with pytest.raises(UnsupportedVideo, match="320x192 and of 64x64"):
        list(clip_of([whole, encoded(np.zeros((64, 64, 3), np.uint8))]).frames(FramePlan(1, 2), box))
    with pytest.raises(CorruptVideo):
        list(clip_of([damaged]).frames(FramePlan(1, 1), box))


def test_a_png_whose_chunk_says_it_is_longer_than_the_file_is_damaged() -> None:
    whole = encoded(numbered_picture(1, 320, 192), ".png")
    at = whole.index(b"IDAT") - 4
    clip = clip_of([whole, whole[:at] + b"\xfe\x00\x00\xf5" + whole[at + 4 :]])
    assert len(list(clip.frames(FramePlan(1, 2), Letterbox.fit(320, 192, 320)))) == 1
    assert clip.stats.damaged == 1


@pytest.mark.parametrize(("width", "height"), [(16, 4000), (4000, 16), (2560, 1440)])
def test_luma_of_pictures_larger_than_full_hd_is_reduced(width: int, height: int) -> None:
    box = Letterbox.fit(width, height, 160)
    clip = PictureClip(1, lambda _: encoded(np.zeros((height, width, 3), np.uint8)), 1 << 22)
    (frame,) = clip.frames(FramePlan(1, 1, full_luma=True), box)
    assert frame.full_luma is not None
    assert max(frame.full_luma.luma.shape) == 1920
    assert min(frame.full_luma.luma.shape) >= 1
