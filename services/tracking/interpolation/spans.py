"""In which frames each track is: from shortly before its first detection to shortly after its last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.tracking.camera.homography import Matrix, PictureSize
from services.tracking.interpolation.boxes import BoxCurves, clip_to_picture, shown
from services.tracking.track import Track

Ints = npt.NDArray[np.int64]

LONGEST_GAP: Final = 25
"""Frames without a sighting that are filled (or three sampled frames, where that is more)."""
HIDDEN: Final = 0.6
"""Share of a missed person's box behind another one from which on the person counts as hidden."""


def spans(
    tracks: Sequence[Track],
    curves: BoxCurves,
    sampled_frames: Ints,
    first: int,
    end: int,
    size: PictureSize,
    stride: int,
) -> tuple[Ints, Ints]:
    """Which frames each track is in.

    A person who is not yet, or no longer, found in a sampled frame is present half of the time to it, and all
    of the time if they enter or leave through the edge of the picture. A person who was missed between two
    sampled frames is present unless somebody nearer hides them.

    Args:
        tracks: Those of one shot.
        curves: Their boxes.
        sampled_frames: Numbers of the shot's sampled frames, rising.
        first: The shot's first frame.
        end: The frame after its last one.
        size: The source picture.
        stride: Usual distance of the sampled frames.

    Returns:
        The number of the track and the frame, one entry per box, by track.
    """
    begins = np.array([track.frames[0] for track in tracks])
    ends = np.array([track.frames[-1] for track in tracks])
    at_first, at_last = begins == sampled_frames[0], ends == sampled_frames[-1]
    before = sampled_frames[np.maximum(np.searchsorted(sampled_frames, begins) - 1, 0)]
    after = sampled_frames[
        np.minimum(np.searchsorted(sampled_frames, ends, side="right"), len(sampled_frames) - 1)
    ]
    numbers = np.arange(len(tracks))
    inside_before = shown(curves.at(numbers, before), size)
    inside_after = shown(curves.at(numbers, after), size)
    low = np.where(inside_before, (before + begins) // 2 + 1, before + 1)
    high = np.where(inside_after, (after + ends) // 2, after - 1)
    low, high = np.where(at_first, first, low), np.where(at_last, end - 1, high)
    parts = [
        _without_long_gaps(
            np.arange(a, b + 1), np.array(track.frames), sampled_frames, max(LONGEST_GAP, 3 * stride)
        )
        for track, a, b in zip(tracks, low, high, strict=True)
    ]
    curve, frame = np.repeat(numbers, [len(part) for part in parts]), np.concatenate(parts)
    keep = ~_hidden(tracks, curves, sampled_frames, curve, frame, size)
    return curve[keep], frame[keep]


def _without_long_gaps(span: Ints, seen: Ints, sampled_frames: Ints, longest: int) -> Ints:
    """Of a gap that is too long to know what happened, only the ends are answered."""
    keep = np.ones(len(span), bool)
    missed = np.diff(np.searchsorted(sampled_frames, seen)) > 1
    for gap in np.flatnonzero(missed & (np.diff(seen) > longest)):
        reach = longest // 6
        keep &= ~((span > seen[gap] + reach) & (span < seen[gap + 1] - reach))
    return span[keep]


def _hidden(
    tracks: Sequence[Track],
    curves: BoxCurves,
    sampled_frames: Ints,
    curve: Ints,
    frame: Ints,
    size: PictureSize,
) -> npt.NDArray[np.bool_]:
    """Which boxes lie behind others around sampled frames in which their track was missed."""
    missed = np.zeros(len(curve), bool)
    bounds = np.searchsorted(curve, np.arange(len(tracks) + 1))
    for number, track in enumerate(tracks):
        if track.labels[0] == BALL:
            continue
        seen = np.array(track.frames)
        position = np.searchsorted(sampled_frames, seen)
        for gap in np.flatnonzero(np.diff(position) > 1):
            own = frame[bounds[number] : bounds[number + 1]]
            missed[bounds[number] : bounds[number + 1]] |= (own > seen[gap]) & (own < seen[gap + 1])
    hidden = np.zeros(len(curve), bool)
    if not missed.any():
        return hidden
    near = np.flatnonzero(np.isin(frame, frame[missed]))
    boxes = clip_to_picture(curves.at(curve[near], frame[near]), size)
    order = np.argsort(frame[near], kind="stable")
    starts = np.flatnonzero(np.diff(frame[near][order], prepend=-1))
    for group in np.split(order, starts[1:]):
        for one in group[missed[near[group]]]:
            hidden[near[one]] = _covered(boxes[one], boxes[group]) > HIDDEN
    return hidden


def _covered(box: Matrix, others: Matrix) -> float:
    """The greatest share of a box behind one that stands nearer."""
    nearer = others[others[:, 3] > box[3]]
    if not len(nearer):
        return 0.0
    shared = np.clip(np.minimum(box[2:], nearer[:, 2:]) - np.maximum(box[:2], nearer[:, :2]), 0, None)
    return float(shared.prod(1).max() / max(1e-9, float((box[2:] - box[:2]).prod())))
