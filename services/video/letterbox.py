"""From a decoded picture straight to what the models take, and the way back to source pixels."""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np
import numpy.typing as npt

from services.results import LumaPicture
from services.video.orientation import shown_size

# pictures are small, and a decoder works on each core: OpenCV's own threads would only turn beside them
cv2.setNumThreads(1)

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.uint8]
PAD = 114
"""Grey of the padding, as the models were trained with."""
STEP = 32
"""Picture sides are padded to multiples of this, the coarsest stride of the models."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a source picture lies in the models' input, in pixels.

    Attributes:
        source_width: Width of the source.
        source_height: Height of the source.
        width: Width of the resized picture, even.
        height: Height of the resized picture, even.
        left: Columns of padding left of it.
        top: Rows of padding above it.
        input_width: Width with padding, a multiple of 32.
        input_height: Height with padding, a multiple of 32.
    """

    source_width: int
    source_height: int
    width: int
    height: int
    left: int
    top: int
    input_width: int
    input_height: int

    @classmethod
    def fit(cls, source_width: int, source_height: int, longer_side: int) -> Letterbox:
        """The letterbox for a source and `IMG_SIZE`; the shorter side is padded up to a multiple of 32."""
        scale = longer_side / max(source_width, source_height)
        width = max(2, round(source_width * scale / 2) * 2)
        height = max(2, round(source_height * scale / 2) * 2)
        input_width = -(-width // STEP) * STEP
        input_height = -(-height // STEP) * STEP
        left, top = (input_width - width) // 2, (input_height - height) // 2
        return cls(source_width, source_height, width, height, left, top, input_width, input_height)

    def reduced(self, longer_side: int) -> Letterbox:
        """The letterbox of the same source with a smaller longer side, pixels."""
        return Letterbox.fit(self.source_width, self.source_height, longer_side)

    def from_larger(self, image: Image, larger: Letterbox) -> Image:
        """Reduce a letterboxed picture to this letterbox.

        Args:
            image: (input_height, input_width, 3) uint8 of `larger`.
            larger: How the same source lies in it.
        """
        inside = image[larger.top : larger.top + larger.height, larger.left : larger.left + larger.width]
        small = cv2.resize(inside, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return self.padded(np.asarray(small, np.uint8))

    def to_source(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Map points (..., 2) from model input pixels to source pixels, clipped to the source picture."""
        scale = np.array([self.source_width / self.width, self.source_height / self.height], np.float32)
        moved = (points - np.array([self.left, self.top], np.float32)) * scale
        limit = np.array([self.source_width, self.source_height], np.float32)
        clipped: npt.NDArray[np.float32] = np.clip(moved, 0, limit).astype(np.float32)
        return clipped

    def padded(self, picture: npt.NDArray[np.uint8]) -> Image:
        """A resized picture (height, width, 3) with grey bars: (input_height, input_width, 3)."""
        out = np.full((self.input_height, self.input_width, 3), PAD, np.uint8)
        out[self.top : self.top + self.height, self.left : self.left + self.width] = picture
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One sampled frame, ready for a model.

    Attributes:
        index: Frame number in the source video, from 0.
        image: (input_height, input_width, 3) uint8, RGB.
        keypoints: Whether the pitch is searched in it, too.
        luma_pictures: Input of the second ball pass: decoded frames since the previous sampled frame, then
            this one; rising.
        full_luma: Input of the fine ball detector: the frame's luma at full size, or None.
    """

    index: int
    image: Image
    keypoints: bool = True
    luma_pictures: tuple[LumaPicture, ...] = ()
    full_luma: LumaPicture | None = None


def letterboxed(picture: av.VideoFrame, letterbox: Letterbox, turns: int = 0) -> Image:
    """Resize, convert and turn one decoded picture.

    The planes are shrunk first and converted to RGB afterwards: that touches a tenth of the bytes that a
    conversion at full size would. Full-range and non-4:2:0 pictures take the general converter. A picture of
    another size than the clip's fills the same box: its frames are scaled to the size of the first.

    Args:
        picture: As it is stored.
        letterbox: Where it lies when it is shown.
        turns: Clockwise quarter turns from stored to shown.

    Returns:
        (input_height, input_width, 3) uint8, RGB.
    """
    width, height = shown_size(letterbox.width, letterbox.height, turns)
    small = _fast(picture, width, height) if _is_plain(picture) else _general(picture, width, height)
    if turns:
        small = np.rot90(small, -turns)
    return letterbox.padded(small)


def _is_plain(picture: av.VideoFrame) -> bool:
    return picture.format.name == "yuv420p" and int(picture.color_range or 0) != 2


def _fast(picture: av.VideoFrame, width: int, height: int) -> npt.NDArray[np.uint8]:
    packed = np.empty((height * 3 // 2, width), np.uint8)
    half = (height // 2, width // 2)
    quarter = half[0] * half[1]
    flat = packed.reshape(-1)
    start = height * width
    places = (
        packed[:height],
        flat[start : start + quarter].reshape(half),
        flat[start + quarter :].reshape(half),
    )
    for plane, place in zip(picture.planes, places, strict=True):
        pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        _shrink(pixels, place)
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_I420), np.uint8)


def _shrink(pixels: Plane, place: Plane) -> None:
    """Fill `place` with the mean of the pixels behind each of its own, or nearly so.

    OpenCV averages quickly where a whole number of pixels becomes one. Elsewhere its mean takes ten times as
    long as other ways to nearly the same: halving and linear interpolation where three to four become one,
    as between 1280 pixels and 384, else a box of the nearest odd width and linear interpolation.
    """
    size = (place.shape[1], place.shape[0])
    across, down = pixels.shape[1] / size[0], pixels.shape[0] / size[1]
    if across.is_integer() and down.is_integer():
        cv2.resize(pixels, size, dst=place, interpolation=cv2.INTER_AREA)
        return
    if min(across, down) > 3 and max(across, down) < 4 and can_be_halved(pixels):
        smooth = halved(pixels)
    else:
        box = (_nearest_odd(across), _nearest_odd(down))
        smooth = pixels if box == (1, 1) else np.asarray(cv2.blur(pixels, box), np.uint8)
    cv2.resize(smooth, size, dst=place, interpolation=cv2.INTER_LINEAR)


def can_be_halved(pixels: Image) -> bool:
    """Whether both sides are even."""
    return not (pixels.shape[0] % 2 or pixels.shape[1] % 2)


def halved(pixels: Image) -> Image:
    """The means of two by two pixels, which OpenCV is quick at."""
    half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)


def _nearest_odd(scale: float) -> int:
    return max(1, 2 * round((scale - 1) / 2) + 1)


def _general(picture: av.VideoFrame, width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.asarray(picture.reformat(width=width, height=height, format="rgb24").to_ndarray(), np.uint8)
