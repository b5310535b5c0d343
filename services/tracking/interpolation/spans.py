"""In which frames each track is: from a little before its first sample to a little after its last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.tracking.camera.homography import Matrix, PictureSize
from services.tracking.interpolation.boxes import BoxCurves, clip_to_picture, shown
from services.tracking.track import BALL, Track

Ints = npt.NDArray[np.int64]

LONGEST_GAP: Final = 25
"""Frames without a sighting that are filled (or three samples, where that is more)."""
HIDDEN: Final = 0.6
"""A person who was missed is taken for hidden where so much of their box lies behind someone else's."""


def spans(
    tracks: Sequence[Track],
    curves: BoxCurves,
    samples: Ints,
    first: int,
    end: int,
    size: PictureSize,
    stride: int,
) -> tuple[Ints, Ints]:
    """Which frames each track is in.

    Someone who is not yet, or no longer, seen in a sample is there half of the way to it, and all of the way
    where they come from, or go, out of the picture. Someone who was missed between two samples is there
    unless somebody nearer hides them.

    Args:
        tracks: Those of one shot.
        curves: Their boxes.
        samples: Frames of the shot's samples, rising.
        first: The shot's first frame.
        end: The frame after its last one.
        size: The source picture.
        stride: Usual distance of the samples.

    Returns:
        The number of the track and the frame, one entry per box, by track.
    """
    begins = np.array([track.frames[0] for track in tracks])
    ends = np.array([track.frames[-1] for track in tracks])
    at_first, at_last = begins == samples[0], ends == samples[-1]
    before = samples[np.maximum(np.searchsorted(samples, begins) - 1, 0)]
    after = samples[np.minimum(np.searchsorted(samples, ends, side="right"), len(samples) - 1)]
    numbers = np.arange(len(tracks))
    inside_before = shown(curves.at(numbers, before), size)
    inside_after = shown(curves.at(numbers, after), size)
    low = np.where(inside_before, (before + begins) // 2 + 1, before + 1)
    high = np.where(inside_after, (after + ends) // 2, after - 1)
    low, high = np.where(at_first, first, low), np.where(at_last, end - 1, high)
    parts = [
        _without_long_gaps(np.arange(a, b + 1), np.array(track.frames), samples, max(LONGEST_GAP, 3 * stride))
        for track, a, b in zip(tracks, low, high, strict=True)
    ]
    curve, frame = np.repeat(numbers, [len(part) for part in parts]), np.concatenate(parts)
    keep = ~_hidden(tracks, curves, samples, curve, frame, size)
    return curve[keep], frame[keep]


def _without_long_gaps(span: Ints, seen: Ints, samples: Ints, longest: int) -> Ints:
    """Only the ends of a gap with missed samples are answered where it is too long to know what happened."""
    keep = np.ones(len(span), bool)
    missed = np.diff(np.searchsorted(samples, seen)) > 1
    for gap in np.flatnonzero(missed & (np.diff(seen) > longest)):
        reach = longest // 6
        keep &= ~((span > seen[gap] + reach) & (span < seen[gap + 1] - reach))
    return span[keep]


def _hidden(
    tracks: Sequence[Track], curves: BoxCurves, samples: Ints, curve: Ints, frame: Ints, size: PictureSize
) -> npt.NDArray[np.bool_]:
    """Which boxes lie behind others around samples in which their track was missed."""
    missed = np.zeros(len(curve), bool)
    bounds = np.searchsorted(curve, np.arange(len(tracks) + 1))
    for number, track in enumerate(tracks):
        if track.labels[0] == BALL:
            continue
        seen = np.array(track.frames)
        position = np.searchsorted(samples, seen)
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
