"""Where one shot ends and the next begins, from thumbnails of the sampled frames.

Two measures, both after Hanjalic, Shot-Boundary Detection: Unraveled and Resolved?, 2002: the colours, which
a turning camera keeps, and the picture itself, moved so that both coincide as well as possible.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from services.results import FrameResult
from services.tracking.camera.homography import Matrix, PictureSize, inverse, project

Thumbnail = npt.NDArray[np.uint8]

OTHER_COLOURS: Final = 0.25
"""Share of the colours that changed from which on it is another shot."""
SOME_COLOURS: Final = 0.12
"""The same where the pictures do not lie on each other either."""
OTHER_PICTURE: Final = 10.0
"""Mean difference of the pixels, of 255, from which on pictures do not lie on each other."""
JUMP: Final = 0.6
"""Share of the width that no camera turns within `JUMP_FRAMES`."""
JUMP_FRAMES: Final = 12
"""Frames in which no camera turns by `JUMP`: about half a second."""
JUMP_PICTURE: Final = 6.5
"""As `OTHER_PICTURE`, where the cameras say that the picture jumped."""
LUMA: Final = np.array([0.299, 0.587, 0.114]) * 219 / 255
_BINS: Final = 16
"""Steps of each colour channel in the histogram of a thumbnail."""


def is_cut(
    before: Thumbnail | None,
    after: Thumbnail | None,
    cameras: tuple[Matrix | None, Matrix | None],
    frames: int,
    size: PictureSize,
) -> bool:
    """Whether there is a cut between two sampled frames.

    Args:
        before: The thumbnail of the earlier one, (height, width, 3), or None where there is none.
        after: That of the later one.
        cameras: The homographies fitted to the two.
        frames: How far apart they are.
        size: The source picture.
    """
    if before is None or after is None:
        return False
    changed = colours_changed(before, after)
    if changed > OTHER_COLOURS:
        return True
    # moved onto each other, pictures differ no more than as they are
    alike = float(np.abs(before.astype(np.int16) - after).mean()) <= JUMP_PICTURE
    jumped = not alike and frames <= JUMP_FRAMES and _jumped(*cameras, size)
    if changed <= SOME_COLOURS and not jumped:
        return False
    return picture_changed(before, after) > (JUMP_PICTURE if jumped else OTHER_PICTURE)


def first_after(before: FrameResult, after: FrameResult, key_frames: Sequence[int]) -> int:
    """The first frame after a cut between two sampled frames.

    Frames with a luma picture belong to the sampled frame that their brightness resembles more. Of the
    remaining frames a key frame is taken for the first one, since encoders put one there; without one, frames
    belong to the nearer side.

    Args:
        before: The sampled frame before the cut.
        after: The sampled frame after it.
        key_frames: Numbers of the clip's key frames, rising, as far as they are known.
    """
    last, first = before.index, after.index
    if before.thumbnail is not None and after.thumbnail is not None:
        one, other = _brightness(before.thumbnail), _brightness(after.thumbnail)
        for between in after.intermediate:
            if between.thumbnail is None:
                continue
            own = _brightness(between.thumbnail)
            if _apart(own, other) < _apart(own, one):
                first = between.index
                break
            last = between.index
    key = bisect_right(key_frames, last)
    if key < len(key_frames) and key_frames[key] <= first:
        return key_frames[key]
    return (last + first + 1) // 2


def _apart(one: Thumbnail, other: Thumbnail) -> float:
    """Mean difference as they are or moved onto each other, whichever is less."""
    return min(float(np.abs(one.astype(np.int16) - other).mean()), picture_changed(one, other))


def _brightness(picture: Thumbnail) -> Thumbnail:
    """(height, width), 128 in the mean; of RGB as BT.601 has it, in the range in which luma is stored."""
    grey = picture @ LUMA if picture.ndim == 3 else picture.astype(np.float64)
    return np.asarray(np.clip(grey - grey.mean() + 128, 0, 255), np.uint8)


def colours_changed(before: Thumbnail, after: Thumbnail) -> float:
    """The part of the colour histograms that differs, 0 to 1."""
    return float(np.abs(_histogram(before) - _histogram(after)).sum() / (2 * before.size))


def _histogram(picture: Thumbnail) -> npt.NDArray[np.int64]:
    channel = np.arange(picture.shape[2], dtype=np.int64) * _BINS
    bins = (picture >> 4).astype(np.int64) + channel
    return np.bincount(bins.ravel(), minlength=_BINS * picture.shape[2])


def picture_changed(before: Thumbnail, after: Thumbnail) -> float:
    """Mean difference of the pixels where one picture is moved onto the other, 0 to 255."""
    one, other = before.astype(np.int16), after.astype(np.int16)
    height, width = one.shape[:2]
    best = np.inf
    for down in range(-2, 3):
        for across in range(-width // 3, width // 3 + 1, 2):
            a = one[max(0, down) : height + min(0, down), max(0, across) : width + min(0, across)]
            b = other[max(0, -down) : height + min(0, -down), max(0, -across) : width + min(0, -across)]
            best = min(best, float(np.abs(a - b).mean()))
    return best


def _jumped(first: Matrix | None, last: Matrix | None, size: PictureSize) -> bool:
    """Whether the ground in the lower middle of the picture has moved further than a camera turns."""
    if first is None or last is None:
        return False
    middle = np.array([[size.width / 2, size.height * 0.7]])
    moved = project(last @ inverse(first), middle)
    return not bool(np.linalg.norm(moved - middle) <= JUMP * size.width)
