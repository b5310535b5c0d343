"""Where painted lines are in a picture: bright, thin and on grass."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.results import PaintedLines
from services.video.letterbox import Image, Letterbox

WIDTH: Final = 480
"""Longer side, pixels, at which lines are searched: they are still one pixel wide, and it takes a quarter of
the time that it takes at 960."""
THIN_PX: Final = 7
"""Side of the square that is wider than any line, pixels."""
BRIGHTER: Final = 10
"""Grey levels by which a line is brighter than the grass beside it."""
GRASS_HSV: Final = ((28, 30, 30), (92, 255, 255))
"""Lower and upper limits of grass in OpenCV's HSV."""
BESIDE_PX: Final = 7
"""Side of the square by which grass is widened, pixels: lines are not green themselves."""
SHORTEST_PX: Final = 6
"""Extent of the smallest piece of a line, pixels: pieces below are socks, boots and balls."""
COLOURLESS: Final = 12.0
"""Mean saturation, of 255, below which a picture is black and white: then all of it counts as grass."""
FARTHEST: Final = 255 / PaintedLines.UNIT
"""Largest stored distance, pixels."""


def painted_lines(image: Image, letterbox: Letterbox, boxes: npt.NDArray[np.float32]) -> PaintedLines:
    """Find the painted lines of a letterboxed picture.

    Args:
        image: (input_height, input_width, 3) uint8, RGB.
        letterbox: How the source lies in it.
        boxes: (n, 4) what covers the pitch, in source pixels; nothing in these boxes is a line.
    """
    picture = image[letterbox.top :, letterbox.left :][: letterbox.height, : letterbox.width]
    share = min(1.0, WIDTH / max(letterbox.width, letterbox.height))
    size = round(letterbox.width * share), round(letterbox.height * share)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    bright = cv2.morphologyEx(
        cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.MORPH_TOPHAT, np.ones((THIN_PX, THIN_PX), np.uint8)
    )
    thin = ((bright > BRIGHTER) & (_beside_grass(small) > 0)).astype(np.uint8)
    scale = size[0] / letterbox.source_width
    for left, top, right, bottom in np.rint(boxes * scale).astype(np.int64):
        thin[max(0, top - 1) : bottom + 2, max(0, left - 1) : right + 2] = 0
    _, labels, pieces, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    long = np.maximum(pieces[:, cv2.CC_STAT_WIDTH], pieces[:, cv2.CC_STAT_HEIGHT]) >= SHORTEST_PX
    long[0] = False  # what is no line
    away = cv2.distanceTransform((~long[labels]).astype(np.uint8), cv2.DIST_L2, 3)
    distances = (np.minimum(away, FARTHEST) * PaintedLines.UNIT).astype(np.uint8)
    return PaintedLines(distances, scale)


def _beside_grass(picture: Image) -> Image:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    if hsv[..., 1].mean() < COLOURLESS:
        return np.ones(picture.shape[:2], np.uint8)
    grass = cv2.inRange(hsv, np.array(GRASS_HSV[0]), np.array(GRASS_HSV[1]))
    grass = cv2.morphologyEx(grass, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.dilate(grass, np.ones((BESIDE_PX, BESIDE_PX), np.uint8)), np.uint8)
