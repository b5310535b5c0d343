"""Luma pictures: which frames have one, what it shows, and that neither threads nor containers change it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.clip import DecodeLimits
from services.video.decode import open_clip
from services.video.letterbox import Frame, Letterbox
from services.video.luma import WIDTH, LumaSelector, attach_luma_pictures, frames_with_luma, luma_picture
from services.video.source import MemorySource
from tests.support.videos import make_video, read_number

SIZE = (320, 192)
BOX = Letterbox.fit(*SIZE, 160)
WIDE_BOX = Letterbox.fit(1280, 720, 160)
COUNT = 40
PYRAMID = {"x264-params": "bframes=3:b-pyramid=normal:b-adapt=0:scenecut=0"}


def decode(data: bytes, plan: FramePlan, threads: int = 1) -> list[Frame]:
    return list(open_clip(MemorySource(data), DecodeLimits(1000, 1 << 22, threads)).frames(plan, BOX))


def numbers(frames: list[Frame]) -> list[list[int]]:
    return [[one.index for one in frame.luma_pictures] for frame in frames]


def shown(one: LumaPicture) -> int:
    """The number that a luma picture shows."""
    return read_number(np.repeat(one.luma[..., None], 3, axis=2))


@pytest.fixture(scope="module")
def pyramid() -> bytes:
    return make_video(frames=COUNT, size=SIZE, gop=20, codec_options=PYRAMID)


def test_reference_frames_get_luma_pictures_and_nothing_more_is_decoded(pyramid: bytes) -> None:
    plan = FramePlan(6, COUNT)
    without = open_clip(MemorySource(pyramid), DecodeLimits(1000, 1 << 22, 1))
    with_them = open_clip(MemorySource(pyramid), DecodeLimits(1000, 1 << 22, 1))
    plain = list(without.frames(plan, BOX))
    found = list(with_them.frames(replace(plan, second_ball_pass=True), BOX))
    assert numbers(plain) == [[]] * len(plain)
    # every second frame is one that others refer to; behind 18 nothing more of its group is decoded
    assert numbers(found) == [
        [0],
        [2, 4, 6],
        [8, 10, 12],
        [14, 16, 18],
        [20, 22, 24],
        [26, 28, 30],
        [32, 34, 36],
        [39],
    ]
    assert with_them.stats.decoded == without.stats.decoded
    assert with_them.stats.packets == without.stats.packets
    assert all(np.array_equal(one.image, other.image) for one, other in zip(plain, found, strict=True))


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_do_not_change_luma_pictures(pyramid: bytes, threads: int) -> None:
    plan = FramePlan(6, COUNT, second_ball_pass=True)
    one, several = decode(pyramid, plan), decode(pyramid, plan, threads)
    assert numbers(one) == numbers(several)
    for frame, other in zip(one, several, strict=True):
        assert all(
            np.array_equal(a.luma, b.luma)
            for a, b in zip(frame.luma_pictures, other.luma_pictures, strict=True)
        )


def test_a_luma_picture_shows_its_own_frame_at_half_the_size() -> None:
    data = make_video(frames=21, size=(1280, 720), gop=1000, codec_options=PYRAMID)
    with av.open(io.BytesIO(data)) as container:
        lumas = [picture.to_ndarray()[:720] for picture in container.decode(video=0)]
    clip = open_clip(MemorySource(data), DecodeLimits(1000, 1 << 22, 1))
    pictures = [
        one
        for frame in clip.frames(FramePlan(6, 21, second_ball_pass=True), WIDE_BOX)
        for one in frame.luma_pictures
    ]
    assert [one.index for one in pictures][:7] == [0, 2, 4, 6, 8, 10, 12]
    for one in pictures:
        assert one.luma.shape == (360, WIDTH)
        assert one.scale == 2.0
        assert shown(one) == one.index
        expected = cv2.resize(lumas[one.index], (640, 360), interpolation=cv2.INTER_AREA)
        assert np.array_equal(one.luma, expected)


def test_frames_close_together_share_one_and_coarse_plans_have_few() -> None:
    data = make_video(frames=COUNT, size=SIZE, gop=1000, codec_options={"x264-params": "bframes=0"})
    assert numbers(decode(data, FramePlan(6, COUNT, second_ball_pass=True)))[:3] == [
        [0],
        [2, 4, 6],
        [8, 10, 12],
    ]
    assert numbers(decode(data, FramePlan(3, COUNT, second_ball_pass=True)))[:3] == [[0], [1, 3], [4, 6]]
    assert numbers(decode(data, FramePlan(30, COUNT, second_ball_pass=True)))[:2] == [
        [0],
        [2, 8, 14, 20, 26, 30],
    ]


def test_a_file_without_an_index_has_luma_pictures_too() -> None:
    data = make_video(frames=21, size=SIZE, container="matroska")
    found = decode(data, FramePlan(6, None, second_ball_pass=True))
    assert numbers(found) == [[0], [2, 4, 6], [8, 10, 12], [14, 16, 18], [20]]
    for frame in found:
        for one in frame.luma_pictures:
            assert shown(one) == one.index


def test_the_last_frame_has_one_luma_picture_although_it_was_not_yet_known_to_be_sampled() -> None:
    data = make_video(frames=21, size=SIZE, container="matroska")
    found = decode(data, FramePlan(9, None, second_ball_pass=True))
    assert numbers(found)[-1] == [20]
    assert found[-1].luma_pictures[0].luma.shape == (384, 640)


def test_other_formats_and_turned_pictures() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (90, 160), np.uint8)
    picture = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")
    assert luma_picture(0, picture, (160, 90)) is None, "its first plane is no luma"
    stored = picture.reformat(format="yuv420p")
    upright = luma_picture(0, stored, (160, 90))
    turned = luma_picture(0, stored, (90, 160), turns=1)
    assert upright is not None
    assert turned is not None
    assert turned.luma.shape == (640, 360)
    assert np.array_equal(turned.luma, np.rot90(upright.luma, -1))
    assert upright.scale == turned.scale == 0.25


def test_luma_pictures_behind_the_last_sampled_frame_are_kept_for_the_next_group_or_dropped() -> None:
    def pictures() -> Iterator[Frame | LumaPicture]:
        for index in range(5):
            luma = np.zeros((1, 1), np.uint8)
            yield (
                Frame(index, np.zeros((1, 1, 3), np.uint8))
                if index % 3 == 0
                else LumaPicture(index, luma, 1.0)
            )

    assert numbers(list(frames_with_luma(pictures()))) == [[], [1, 2]]
    *samples, last = attach_luma_pictures(pictures())
    assert [sample.index for sample in samples] == [0, 3]
    assert isinstance(last, LumaPicture)
    assert last.index == 4


def test_sampled_frames_come_with_their_luma_at_full_size(pyramid: bytes) -> None:
    with av.open(io.BytesIO(pyramid)) as container:
        lumas = [picture.to_ndarray()[: SIZE[1]] for picture in container.decode(video=0)]
    frames = decode(pyramid, FramePlan(6, COUNT, full_luma=True))
    assert [frame.index for frame in frames] == [*range(0, COUNT, 6), COUNT - 1]
    for frame in frames:
        assert frame.full_luma is not None
        assert frame.full_luma.scale == 1.0
        assert np.array_equal(frame.full_luma.luma, lumas[frame.index])
        assert frame.luma_pictures == ()


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_luma_at_full_size_is_made_only_where_the_plan_says_so(container: str) -> None:
    data = make_video(frames=13, size=SIZE, container=container)
    without = decode(data, FramePlan(6, None, second_ball_pass=True))
    with_it = decode(data, FramePlan(6, None, second_ball_pass=True, full_luma=True))
    assert [frame.full_luma for frame in without] == [None] * 3
    assert [frame.full_luma is not None for frame in with_it] == [True] * 3


def test_clips_larger_than_full_hd_are_reduced_to_it() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (2160 * 3 // 2, 3840), np.uint8)
    picture = av.VideoFrame.from_ndarray(grey, format="yuv420p")
    selector = LumaSelector(FramePlan(6, 7, full_luma=True), (3840, 2160))
    full = selector.at_full_size(0, picture)
    assert full is not None
    assert full.luma.shape == (1080, 1920)
    assert full.scale == 2.0


@pytest.mark.parametrize("turns", [1, 3])
def test_luma_at_full_size_is_turned_as_the_clip_is_shown(turns: int) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (96 * 3 // 2, 160), np.uint8)
    picture = av.VideoFrame.from_ndarray(grey, format="yuv420p")
    full = LumaSelector(FramePlan(6, 7, full_luma=True), (96, 160), turns).at_full_size(0, picture)
    assert full is not None
    assert np.array_equal(full.luma, np.rot90(grey[:96], -turns))


def test_formats_without_luma_have_none_at_full_size() -> None:
    picture = av.VideoFrame.from_ndarray(np.zeros((90, 160, 3), np.uint8), format="rgb24")
    assert LumaSelector(FramePlan(6, 7, full_luma=True), (160, 90)).at_full_size(0, picture) is None
