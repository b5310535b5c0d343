"""Profiles: which frames they take from an index, and which bytes these need."""

from __future__ import annotations

import numpy as np
import pytest

from services.frame_plan import FramePlan
from services.sampling.profiles import make_plan, needed_packets, needed_positions, non_b_frames
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Letterbox
from services.video.mp4_index import Mp4Index
from services.video.source import MemorySource
from tests.support.videos import make_video, read_number

PROFILES = ("every", "snap", "keyframes")


def index_of(display: list[int], sync: list[int], size: int = 10) -> Mp4Index:
    """An index whose samples lie one behind the other from byte 100 on."""
    count = len(display)
    numbers = np.array(display)
    offsets = 100 + size * np.arange(count)
    sizes = np.full(count, size)
    return Mp4Index("h264", b"", 64, 64, offsets, sizes, numbers, numbers, np.array(sync))


def with_b_frames(groups: int, length: int, between: int) -> Mp4Index:
    """Closed groups: a sync sample, then each anchor before the B-frames that are shown before it."""
    display: list[int] = []
    for group in range(groups):
        first = group * length
        display.append(first)
        rest = list(range(first + 1, first + length))
        while rest:
            pack, rest = rest[: between + 1], rest[between + 1 :]
            display += [pack[-1], *pack[:-1]]
    return index_of(display, [group * length for group in range(groups)])


def test_anchors_are_the_frames_that_are_no_b_frames() -> None:
    assert non_b_frames(with_b_frames(2, 9, 3)).tolist() == [0, 4, 8, 9, 13, 17]
    assert non_b_frames(index_of([0, 1, 2, 3], [0])).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("count", [1, 2, 25, 61])
@pytest.mark.parametrize("stride", [1, 4, 6, 100])
def test_every_profile_covers_both_ends_and_counts_itself(profile: str, count: int, stride: int) -> None:
    index = with_b_frames(1, count, 3)
    plan = make_plan(profile, index, index.count, stride)  # type: ignore[arg-type]
    wanted = [number for number in range(count) if plan.is_sampled(number)]
    assert (wanted[0], wanted[-1]) == (0, count - 1)
    assert plan.sampled_count == len(wanted)
    assert plan.count == count


def test_snap_moves_at_most_half_a_stride_and_to_anchors_only() -> None:
    index = with_b_frames(4, 25, 3)
    plan = make_plan("snap", index, index.count, 6)
    assert plan.chosen is not None
    assert set(plan.chosen) <= set(non_b_frames(index).tolist())
    even = make_plan("every", index, index.count, 6)
    for number in range(index.count):
        if even.is_sampled(number):
            assert min(abs(number - chosen) for chosen in plan.chosen) <= 3
    assert str(plan) == "snap 6"
    assert plan.decoded is not None
    assert plan.decoded < index.count


def test_snap_takes_the_earlier_of_two_and_leaves_what_has_none_near() -> None:
    # anchors at 0, 4, 8, ...: 6 lies in the middle
    assert make_plan("snap", with_b_frames(1, 13, 3), 13, 6).chosen == (0, 4, 12)
    # anchors at 0 and 12 only: 4 and 8 stay where they are
    assert make_plan("snap", with_b_frames(1, 13, 11), 13, 4).chosen == (0, 4, 8, 12)


def test_snap_of_a_clip_without_b_frames_is_every() -> None:
    index = index_of(list(range(50)), [0, 25])
    snapped, even = make_plan("snap", index, 50, 6), make_plan("every", index, 50, 6)
    assert [snapped.is_sampled(n) for n in range(50)] == [even.is_sampled(n) for n in range(50)]


def test_keyframes_are_sync_samples_a_stride_apart_and_the_last_frame() -> None:
    index = with_b_frames(6, 10, 3)
    assert make_plan("keyframes", index, 60, 6).chosen == (0, 10, 20, 30, 40, 50, 59)
    thinned = make_plan("keyframes", index, 60, 15)
    assert thinned.chosen == (0, 20, 40, 59)
    assert (thinned.stride, str(thinned)) == (20, "keyframes")


@pytest.mark.parametrize("profile", ["snap", "keyframes"])
def test_without_an_index_a_profile_falls_back_and_says_so(profile: str) -> None:
    plan = make_plan(profile, None, None, 6)  # type: ignore[arg-type]
    assert str(plan) == f"stride 6 (no index for {profile})"
    assert [number for number in range(14) if plan.is_sampled(number)] == [0, 6, 12]


def test_keypoints_are_looked_for_in_every_nth_chosen_frame_and_the_last() -> None:
    plan = FramePlan(6, 30, 2, chosen=(0, 5, 12, 17, 24, 29))
    assert [number for number in range(30) if plan.needs_keypoints(number)] == [0, 12, 24, 29]


def test_keyframes_need_the_sync_samples_and_the_last_group() -> None:
    index = with_b_frames(3, 10, 3)
    plan = make_plan("keyframes", index, 30, 6)
    # the last frame is the tenth of its group in order of display, and the one before its B-frame in the file
    last = int(np.flatnonzero(index.display == 29)[0])
    assert needed_positions(index, plan).tolist() == [0, 10, *range(20, last + 1)]
    assert needed_packets(index, plan) == [(100, 10), (200, 10), (300, 10 * (last - 19))]
    assert plan.decoded == 2 + last - 19


def test_near_ranges_become_one_and_each_byte_is_named_once() -> None:
    index = with_b_frames(3, 10, 3)
    plan = make_plan("keyframes", index, 30, 6)
    assert needed_packets(index, plan, gap=89)[:1] == [(100, 10)]
    assert len(needed_packets(index, plan, gap=90)) == 1
    assert needed_packets(index, FramePlan(1, 30)) == [(100, 300)]


def test_no_group_begins_at_a_key_frame_behind_which_earlier_frames_are_stored() -> None:
    # an open group: 4 and 5 are stored behind the sync sample 6 and shown before it
    index = index_of([0, 1, 2, 3, 6, 4, 5, 7], [0, 4])
    assert needed_positions(index, FramePlan(4, 8, chosen=(0, 4, 7))).tolist() == list(range(8))
    assert needed_positions(index, FramePlan(6, 8, chosen=(0, 6))).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_plan_is_decoded_from_the_bytes_that_it_is_said_to_need(profile: str, codec: str) -> None:
    """All other bytes of the frames are overwritten, and the pictures stay the same to the bit."""
    data = make_video(60, codec=codec, gop=20, codec_options={"x265-params": "log-level=none"})
    limits = DecodeLimits(1000, 1 << 22)
    clip = open_clip(MemorySource(data), limits)
    assert clip.index is not None
    assert len(clip.index.sync) >= 3
    plan = make_plan(profile, clip.index, clip.count, 9)  # type: ignore[arg-type]
    box = Letterbox.fit(clip.width, clip.height, 320)
    whole = list(clip.frames(plan, box))
    assert [read_number(frame.image) for frame in whole] == [n for n in range(60) if plan.is_sampled(n)]

    holed = bytearray(data)
    needed = set(needed_positions(clip.index, plan).tolist())
    for at in set(range(60)) - needed:
        offset, size = int(clip.index.offsets[at]), int(clip.index.sizes[at])
        # a packet's length and the beginning of its slice header stay: whether it is one picture is checked
        holed[offset + 8 : offset + size] = bytes(max(0, size - 8))
    found = {f.index: f for f in open_clip(MemorySource(bytes(holed)), limits).frames(plan, box)}
    for frame in whole:
        assert np.array_equal(frame.image, found[frame.index].image), frame.index
