"""From a profile and a clip's index to a frame plan, and to the bytes that a plan needs."""

from __future__ import annotations

from typing import Literal

import numpy as np

from services.frame_plan import FramePlan
from services.video.groups import possible_starts
from services.video.mp4_index import Int64s, Mp4Index

Profile = Literal["every", "snap", "keyframes"]


def make_plan(
    profile: Profile, index: Mp4Index | None, count: int | None, stride: int, pitch_stride: int = 1
) -> FramePlan:
    """The plan of a profile: a function of the index and of nothing that varies between two runs.

    Args:
        profile: `every`: every stride-th frame and the last one. `snap`: each of these moved to the nearest
            anchor, if there is one within half a stride. `keyframes`: key frames, at least a stride apart,
            and the last frame.
        index: The clip's own index; None makes `every` of all profiles.
        count: Frames in the clip, or None where only the end will tell.
        stride: Distance of the sampled frames.
        pitch_stride: Every n-th of them is sampled for keypoints.
    """
    if profile == "every" or index is None:
        name = f"stride {stride}" if profile == "every" else f"stride {stride} (no index for {profile})"
        return FramePlan(stride, count, pitch_stride, None, count, name)
    if profile == "snap":
        numbers, decoded = _snapped(index, stride)
        return FramePlan(stride, index.count, pitch_stride, numbers, decoded, f"snap {stride}")
    numbers = _keyframes(index, stride)
    widest = max((after - before for before, after in zip(numbers, numbers[1:], strict=False)), default=1)
    plan = FramePlan(widest, index.count, pitch_stride, numbers, None, "keyframes")
    return FramePlan(
        widest, index.count, pitch_stride, numbers, len(needed_positions(index, plan)), "keyframes"
    )


def non_b_frames(index: Mp4Index) -> Int64s:
    """Display numbers of the frames that are no B-frames, rising.

    In decoding order, a frame that is shown after all those before it refers to nothing that is shown later.
    """
    seen = np.maximum.accumulate(index.display)
    first_seen: Int64s = seen[np.append(True, seen[1:] > seen[:-1])]
    return first_seen


def needed_packets(index: Mp4Index, plan: FramePlan, gap: int = 0) -> list[tuple[int, int]]:
    """The bytes without which the frames of a plan cannot be decoded, as far as the index can tell.

    Args:
        index: The clip's index.
        plan: What is to be decoded.
        gap: Ranges this many bytes apart, or fewer, become one: a request costs more than they do.

    Returns:
        (offset, size) by rising offset; none touches the next.
    """
    positions = read_positions(index, plan)
    ranges: list[tuple[int, int]] = []
    for at in positions[np.argsort(index.offsets[positions], kind="stable")]:
        offset, size = int(index.offsets[at]), int(index.sizes[at])
        if ranges and offset <= ranges[-1][0] + ranges[-1][1] + gap:
            first, length = ranges[-1]
            ranges[-1] = (first, max(length, offset + size - first))
        else:
            ranges.append((offset, size))
    return ranges


def read_positions(index: Mp4Index, plan: FramePlan) -> Int64s:
    """Positions of the packets that a plan needs, and of the key frames before them.

    Whether a group ends at a key frame is told by its bytes, so that they are read as well.
    """
    needed = needed_positions(index, plan)
    return np.union1d(needed, index.sync[index.sync <= needed[-1]])


def needed_positions(index: Mp4Index, plan: FramePlan) -> Int64s:
    """Positions of the sampled frames of a plan and of all packets that they may refer to.

    A frame needs its group from the beginning on. A key frame behind which earlier frames are stored begins
    none (open groups). Only the bytes tell which frames are really referred to.
    """
    wanted = np.array([plan.is_sampled(int(number)) for number in index.display], np.bool_)
    starts = possible_starts(index)
    needed = np.zeros(index.count, np.bool_)
    for start, end in zip(starts, [*starts[1:], index.count], strict=True):
        inside = np.flatnonzero(wanted[start:end])
        if len(inside):
            needed[start : start + inside[-1] + 1] = True
    return np.flatnonzero(needed)


def _snapped(index: Mp4Index, stride: int) -> tuple[tuple[int, ...], int]:
    free = non_b_frames(index)
    asked = np.append(np.arange(0, index.count - 1, stride), index.count - 1)
    after = np.searchsorted(free, asked)
    right = free[np.minimum(after, len(free) - 1)]
    left = free[np.maximum(after - 1, 0)]
    # the earlier one of two that are as near
    nearest = np.where(np.abs(right - asked) < np.abs(left - asked), right, left)
    moved = np.unique(np.where(2 * np.abs(nearest - asked) <= stride, nearest, asked))
    others = index.count - len(free)
    # about half of the B-frames are referred to in files with pyramids; the index does not say
    decoded = len(free) + (others + 1) // 2
    return tuple(moved.tolist()), decoded


def _keyframes(index: Mp4Index, stride: int) -> tuple[int, ...]:
    taken: list[int] = []
    for number in sorted(index.display[index.sync].tolist()):
        if not taken or number - taken[-1] >= stride:
            taken.append(number)
    if taken[-1] != index.count - 1:
        taken.append(index.count - 1)
    return tuple(taken)
