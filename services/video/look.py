"""Looks: small luma pictures of decoded frames, in which nothing but the ball is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import av
import cv2
import numpy as np

from services.frame_plan import FramePlan
from services.results import Look
from services.video.orientation import shown_size
from services.video.picture import Frame

__all__ = ["WIDTH", "Looking", "gathered", "look_at", "look_bytes", "with_looks"]

WIDTH: Final = 640
"""Pixels of a look's longer side: half of an ordinary broadcast, where a ball is some six pixels wide."""

NEAREST: Final = 2
"""Least frames from one look to the next: a ball does not get far in one."""
CLOSE: Final = 3
"""Up to this distance of the samples, their neighbours are looked at: there are no others."""
MOST: Final = 5
"""About the most looks between two samples; a coarse plan's lie further apart."""

LOOK_BYTES: Final = WIDTH * WIDTH * 9 // 16
"""Of an ordinary one."""

_LUMA_FIRST: Final = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuv444p")


class Looking:
    """Takes the looks of frames that come out of one decoder, in order.

    Which they are depends on the file and the plan alone. Frames close to another look, and in most plans to
    a sample, are left out.

    Args:
        plan: Which frames are samples, and whether there are looks at all.
        size: Width and height of the clip as it is shown.
        turns: Clockwise quarter turns from stored to shown.
    """

    def __init__(self, plan: FramePlan, size: tuple[int, int], turns: int = 0) -> None:
        self._plan, self._size, self._turns = plan, size, turns
        self._apart = _apart(plan.stride)
        self._beside = 1 if plan.stride <= CLOSE else NEAREST
        self._last = -self._apart

    def anew(self) -> Looking:
        """The same for another decoder."""
        return Looking(self._plan, self._size, self._turns)

    def sample(self, number: int, picture: av.VideoFrame) -> tuple[Look, ...]:
        """The look at a sample, none where there are no looks."""
        look = look_at(number, picture, self._size, self._turns) if self._plan.looks else None
        return () if look is None else (look,)

    def between(self, number: int, picture: av.VideoFrame) -> Look | None:
        """The look at a frame that is not asked for, if it is one to look at."""
        plan = self._plan
        if not plan.looks or number - self._last < self._apart:
            return None
        if any(plan.wants(near) for near in range(number - self._beside + 1, number + self._beside)):
            return None
        self._last = number
        return look_at(number, picture, self._size, self._turns)


def look_bytes(plan: FramePlan) -> int:
    """Of a sample's own look and those before it, at most, in an ordinary plan."""
    return LOOK_BYTES * (1 + (plan.stride - 1) // _apart(plan.stride)) if plan.looks else 0


def _apart(stride: int) -> int:
    return max(NEAREST, stride // MOST)


def look_at(number: int, picture: av.VideoFrame, size: tuple[int, int], turns: int = 0) -> Look | None:
    """Shrink the luma of a picture; None for a format whose first plane is something else.

    Args:
        number: Of the frame in its clip.
        picture: As it is stored.
        size: Width and height of the clip as it is shown.
        turns: Clockwise quarter turns from stored to shown.
    """
    if picture.format.name not in _LUMA_FIRST:
        return None
    scale = max(size) / WIDTH
    width, height = (max(1, round(side / scale)) for side in size)
    plane = picture.planes[0]
    pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    how = cv2.INTER_AREA if scale >= 1 else cv2.INTER_LINEAR
    stored = shown_size(width, height, turns)
    small = np.asarray(cv2.resize(pixels[:, : plane.width], stored, interpolation=how), np.uint8)
    return Look(number, np.ascontiguousarray(np.rot90(small, -turns)) if turns else small, scale)


def gathered(pictures: Iterator[Frame | Look]) -> Iterator[Frame | Look]:
    """Samples with the looks before them, and then the looks behind the last sample."""
    before: list[Look] = []
    for picture in pictures:
        if isinstance(picture, Look):
            before.append(picture)
            continue
        # a clip's last frame may have been looked at before it was known to be a sample
        looks = [look for look in before if look.index < picture.index]
        yield replace(picture, looks=(*looks, *picture.looks)) if looks else picture
        before = []
    yield from before


def with_looks(pictures: Iterator[Frame | Look]) -> Iterator[Frame]:
    """Samples with the looks before them; those behind the last sample are dropped."""
    return (picture for picture in gathered(pictures) if isinstance(picture, Frame))
