"""The luma of decoded frames, in which the ball is searched.

Luma pictures are small, of sampled frames and others, for the second ball pass; luma at full size is of
sampled frames only, for the fine ball detector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from services.frame_plan import FramePlan
from services.results import LumaPicture
from services.video.letterbox import Frame
from services.video.orientation import shown_size

__all__ = [
    "WIDTH",
    "LumaSelector",
    "attach_luma_pictures",
    "frames_with_luma",
    "full_scale",
    "luma_bytes",
    "luma_picture",
    "resized",
]

WIDTH: Final = 640
"""Longer side of a luma picture, pixels: half of an ordinary broadcast; a ball is six pixels wide there."""

MIN_DISTANCE: Final = 2
"""Minimum distance of two luma pictures, frames: a ball does not get far in one frame."""
DENSE_STRIDE: Final = 3
"""Up to this stride neighbours of sampled frames get a luma picture: there are no others."""
MAX_PER_STRIDE: Final = 5
"""Roughly the maximum number of luma pictures between two sampled frames."""

MAX_FULL_WIDTH: Final = 1920
"""Maximum longer side of luma at full size, pixels: a ball is ten pixels wide there."""

TYPICAL_BYTES: Final = WIDTH * WIDTH * 9 // 16
"""Size of a 16:9 luma picture, bytes."""

_LUMA_FORMATS: Final = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuv444p")


class LumaSelector:
    """Makes luma of the frames that come out of one decoder, in order.

    Which frames get one depends on the file and the plan only. Frames close to another luma picture and, in
    most plans, close to a sampled frame are left out.

    Args:
        plan: Which frames are sampled, and whether there are a second ball pass and a fine ball detector.
        size: Width and height of the clip as it is shown.
        turns: Clockwise quarter turns from stored to shown.
    """

    def __init__(self, plan: FramePlan, size: tuple[int, int], turns: int = 0) -> None:
        self._plan, self._size, self._turns = plan, size, turns
        self._distance = _distance(plan.stride)
        self._margin = 1 if plan.stride <= DENSE_STRIDE else MIN_DISTANCE
        self._last = -self._distance

    def for_another_decoder(self) -> LumaSelector:
        """A selector with the same arguments."""
        return LumaSelector(self._plan, self._size, self._turns)

    def of_sampled_frame(self, number: int, picture: av.VideoFrame) -> tuple[LumaPicture, ...]:
        """The luma picture of a sampled frame; empty without a second ball pass."""
        luma = luma_picture(number, picture, self._size, self._turns) if self._plan.second_ball_pass else None
        return () if luma is None else (luma,)

    def at_full_size(self, number: int, picture: av.VideoFrame) -> LumaPicture | None:
        """The luma of a sampled frame at full size; None without a fine ball detector."""
        if not self._plan.full_luma:
            return None
        return luma_picture(number, picture, self._size, self._turns, full_scale(self._size))

    def of_other_frame(self, number: int, picture: av.VideoFrame) -> LumaPicture | None:
        """The luma picture of a frame that is not sampled, if that frame gets one."""
        plan = self._plan
        if not plan.second_ball_pass or number - self._last < self._distance:
            return None
        if any(plan.is_sampled(near) for near in range(number - self._margin + 1, number + self._margin)):
            return None
        self._last = number
        return luma_picture(number, picture, self._size, self._turns)


def luma_bytes(plan: FramePlan, size: tuple[int, int]) -> int:
    """Maximum bytes of the luma that comes with one sampled frame of a clip (width, height), about."""
    pictures = 1 + (plan.stride - 1) // _distance(plan.stride) if plan.second_ball_pass else 0
    full = round(size[0] * size[1] / full_scale(size) ** 2) if plan.full_luma else 0
    return TYPICAL_BYTES * pictures + full


def full_scale(size: tuple[int, int]) -> float:
    """Source pixels per pixel of luma at full size: 1, unless the clip (width, height) is larger."""
    return max(1.0, max(size) / MAX_FULL_WIDTH)


def _distance(stride: int) -> int:
    return max(MIN_DISTANCE, stride // MAX_PER_STRIDE)


def luma_picture(
    number: int,
    picture: av.VideoFrame,
    size: tuple[int, int],
    turns: int = 0,
    scale: float | None = None,
) -> LumaPicture | None:
    """Shrink the brightness of a picture; None for a pixel format whose first plane is something else.

    Args:
        number: Frame number in the clip.
        picture: The picture as it is stored.
        size: Width and height of the clip as it is shown.
        turns: Clockwise quarter turns from stored to shown.
        scale: Source pixels per pixel; None makes the longer side WIDTH pixels.
    """
    if picture.format.name not in _LUMA_FORMATS:
        return None
    scale = max(size) / WIDTH if scale is None else scale
    plane = picture.planes[0]
    pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    small = resized(pixels[:, : plane.width], shown_size(*size, turns), scale)
    return LumaPicture(number, np.ascontiguousarray(np.rot90(small, -turns)) if turns else small, scale)


def resized(luma: npt.NDArray[np.uint8], size: tuple[int, int], scale: float) -> npt.NDArray[np.uint8]:
    """Luma (height, width) at the size of a clip, which it may not have itself, divided by a scale.

    Args:
        luma: The luma.
        size: Width and height of the clip, pixels.
        scale: Source pixels per pixel.
    """
    wanted = (max(1, round(size[0] / scale)), max(1, round(size[1] / scale)))
    how = cv2.INTER_AREA if scale >= 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(luma, wanted, interpolation=how), np.uint8)


def attach_luma_pictures(pictures: Iterator[Frame | LumaPicture]) -> Iterator[Frame | LumaPicture]:
    """Give each sampled frame the luma pictures before it; those behind the last one come at the end."""
    before: list[LumaPicture] = []
    for picture in pictures:
        if isinstance(picture, LumaPicture):
            before.append(picture)
            continue
        # the luma picture of a clip's last frame may be made before that frame is known to be sampled
        earlier = [luma for luma in before if luma.index < picture.index]
        yield replace(picture, luma_pictures=(*earlier, *picture.luma_pictures)) if earlier else picture
        before = []
    yield from before


def frames_with_luma(pictures: Iterator[Frame | LumaPicture]) -> Iterator[Frame]:
    """Sampled frames with the luma pictures before them; those behind the last sampled frame are dropped."""
    return (picture for picture in attach_luma_pictures(pictures) if isinstance(picture, Frame))
