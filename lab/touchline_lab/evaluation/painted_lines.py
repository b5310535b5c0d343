"""The painted lines of a picture, found as Score's keypoint scorer finds them.

Source: score-technologies/score-vision: top-hat, grass, Canny, Hough.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["ClipLines", "painted_lines", "painted_lines_of_clip"]

GRASS_HSV: Final = ((35, 40, 40), (85, 255, 255))
"""Lower and upper limits of grass in OpenCV's HSV."""
TOP_HAT_PX: Final = 31
"""Side of the structuring element, pixels: wider than any line."""
BRIGHTER: Final = 30
"""Grey levels by which a line is brighter than what surrounds it."""
ON_GRASS_SAMPLES: Final = 30
"""Points of a segment that all have to lie on grass."""
BORDER_PX: Final = 3
"""Pixels at the edge of the picture in which no segment may have its middle."""
CROWDED_PX: Final = 80
"""Half of the side of the square in which segments are counted, pixels."""
CROWDED: Final = 80
"""Segments in it from which on they are noise."""

Image = npt.NDArray[np.uint8]
Segments = npt.NDArray[np.float64]
"""(n, 4): x1, y1, x2, y2 in pixels."""


def painted_lines(image: Image) -> Segments:
    """Find the segments of painted lines in a picture (height, width, 3), BGR."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grass = cv2.inRange(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), *(np.array(v) for v in GRASS_HSV))
    grass = np.asarray(cv2.morphologyEx(grass, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (TOP_HAT_PX, TOP_HAT_PX))
    white = cv2.threshold(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel), BRIGHTER, 255, cv2.THRESH_BINARY)[
        1
    ]
    edges = cv2.Canny(cv2.GaussianBlur(cv2.bitwise_and(white, grass), (5, 5), 0), 30, 100)
    found = cv2.HoughLinesP(edges, 1, np.pi / 360, threshold=30, minLineLength=10, maxLineGap=15)
    if found is None:
        return np.zeros((0, 4))
    segments = np.asarray(found).reshape(-1, 4)
    segments = segments[_on_grass(segments, grass)]
    segments = segments[_away_from_the_edge(segments, grey.shape)]
    middles = (segments[:, :2] + segments[:, 2:]) / 2
    near = (np.abs(middles[:, None] - middles[None]) < CROWDED_PX).all(axis=2)
    return np.asarray(segments[near.sum(axis=1) <= CROWDED], np.float64)


def _on_grass(segments: npt.NDArray[np.int32], grass: Image) -> npt.NDArray[np.bool_]:
    shares = np.linspace(0, 1, ON_GRASS_SAMPLES)[:, None, None]
    points = (segments[:, :2] + (segments[:, 2:] - segments[:, :2]) * shares).astype(np.int64)
    return np.asarray((grass[points[..., 1], points[..., 0]] > 0).all(axis=0), np.bool_)


def _away_from_the_edge(segments: npt.NDArray[np.int32], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    middles = (segments[:, :2] + segments[:, 2:]) // 2
    high = np.array([shape[1], shape[0]]) - BORDER_PX
    return np.asarray(((middles >= BORDER_PX) & (middles < high)).all(axis=1), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class ClipLines:
    """The painted lines of a clip.

    Attributes:
        size: Width and height of its pictures.
        frames: How many frames it has.
        lines: The segments by frame number, from 0.
    """

    size: tuple[int, int]
    frames: int
    lines: dict[int, Segments]


def painted_lines_of_clip(data: bytes, wanted: Collection[int]) -> ClipLines:
    """Find the painted lines of some frames of a clip; all of its frames are decoded and counted.

    Args:
        data: A video file.
        wanted: Frame numbers, from 0; those beyond the clip have no lines.
    """
    lines = {}
    frames = 0
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        size = stream.width, stream.height
        for number, picture in enumerate(container.decode(video=0)):
            frames = number + 1
            if number in wanted:
                lines[number] = painted_lines(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
    return ClipLines(size, frames, lines)
