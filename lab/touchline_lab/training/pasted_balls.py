"""Balls that are pasted into training pictures: real ones from other pictures, and drawn ones.

Labelled pictures of a few hundred balls show too few of the places where a ball can lie: before socks, boots,
lines and boards. A ball of one picture in the surroundings of another is a new sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from touchline_lab.training.labelled_luma import LabelledLuma

__all__ = ["BallPaster"]

Luma = npt.NDArray[np.float32]
Box = npt.NDArray[np.float64]

PATCH_RADIUS: Final = 16
"""Half of the side of a patch around a real ball, pixels."""
ROUND: Final = (0.75, 1.33)
"""Range of width over height of a ball that is no streak."""
REAL_SHARE: Final = 0.5
"""Share of the pasted balls that are real ones."""
MOVING_SHARE: Final = 0.25
"""Share of the pasted balls that are blurred by motion."""
VISIBLE: Final = 0.88
"""Radius of the visible ball as a share of half its box: labels leave a margin."""


class BallPaster:
    """Pastes balls into luma.

    Args:
        pictures: Pictures from which real balls are taken.
        random: Determines everything that is chosen.
    """

    def __init__(self, pictures: Sequence[LabelledLuma], random: np.random.Generator) -> None:
        self._random = random
        self._patches = [patch for picture in pictures for patch in _patches(picture)]

    def paste(self, luma: Luma, middle: Box, size: float) -> Box | None:
        """Paste one ball.

        Args:
            luma: (height, width), 0 to 255; it is changed.
            middle: (2,) pixels.
            size: Width of its box, pixels.

        Returns:
            x1, y1, x2, y2 of its box; None where it would leave the picture, and nothing was pasted.
        """
        random = self._random
        radius = int(size * 1.2) + 3
        left, top = int(middle[0]) - radius, int(middle[1]) - radius
        side = 2 * radius + 1
        if left < 0 or top < 0 or left + side > luma.shape[1] or top + side > luma.shape[0]:
            return None
        down, right = (np.mgrid[:side, :side] + 0.5).astype(np.float64)
        right, down = right + left - middle[0], down + top - middle[1]
        softness = random.uniform(0.5, 1.2)
        edge = (np.hypot(right, down) - VISIBLE * size / 2) / (0.45 * softness)
        cover = (1 / (1 + np.exp(np.minimum(edge, 50.0)))).astype(np.float32)
        if self._patches and random.random() < REAL_SHARE:
            ball = self._real(right, down, size)
        else:
            ball = self._drawn(right, down, size, softness)
        streak = np.zeros(2)
        if random.random() < MOVING_SHARE:
            ball, cover, streak = self._moving(ball, cover, size)
        place = luma[top : top + side, left : left + side]
        place[:] = place * (1 - cover) + ball * cover
        half = (size + streak) / 2
        return np.concatenate([middle - half, middle + half])

    def _real(self, right: Box, down: Box, size: float) -> Luma:
        patch, own_size = self._patches[int(self._random.integers(len(self._patches)))]
        scale = own_size / size
        x = (right * scale + PATCH_RADIUS).astype(np.float32)
        y = (down * scale + PATCH_RADIUS).astype(np.float32)
        if self._random.random() < 0.5:
            x = 2 * PATCH_RADIUS - x
        found = cv2.remap(patch, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def _drawn(self, right: Box, down: Box, size: float, softness: float) -> Luma:
        """A bright ball, lit from above, with up to four dark panels."""
        random, radius = self._random, VISIBLE * size / 2
        light = random.uniform(-0.5, 0.5) * right + random.uniform(-1.0, -0.1) * down
        ball = random.uniform(150, 250) + random.uniform(0, 45) * light / radius
        for _ in range(int(random.integers(0, 5))):
            x, y = random.uniform(-radius, radius, 2)
            panel = random.uniform(0.15, 0.35) * size
            ball = ball - random.uniform(10, 90) * np.exp(-((right - x) ** 2 + (down - y) ** 2) / panel**2)
        return np.asarray(cv2.GaussianBlur(ball.astype(np.float32), (0, 0), softness), np.float32)

    def _moving(self, ball: Luma, cover: Luma, size: float) -> tuple[Luma, Luma, Box]:
        """The ball and its cover blurred along a line, and how much wider and higher that makes it."""
        length = int(self._random.integers(2, max(3, int(size * 0.7))))
        angle = self._random.uniform(0, math.pi)
        along = np.array([math.cos(angle), math.sin(angle)])
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        start, end = (np.round(length + sign * length / 2 * along).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, end, 1.0)
        kernel /= kernel.sum()
        blurred = cv2.filter2D(ball * cover, -1, kernel)
        spread = np.asarray(cv2.filter2D(cover, -1, kernel), np.float32)
        return np.asarray(blurred / np.maximum(spread, 1e-3), np.float32), spread, length * np.abs(along)


def _patches(picture: LabelledLuma) -> list[tuple[Luma, float]]:
    """The round balls of a picture, each with what is around it, and their sizes in pixels."""
    height, width = picture.luma.shape
    found = []
    for x1, y1, x2, y2 in picture.balls:
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        inside = PATCH_RADIUS <= x <= width - PATCH_RADIUS and PATCH_RADIUS <= y <= height - PATCH_RADIUS
        if inside and ROUND[0] < (x2 - x1) / (y2 - y1) < ROUND[1]:
            side = 2 * PATCH_RADIUS + 1
            patch = cv2.getRectSubPix(picture.luma, (side, side), (x, y))
            found.append((np.asarray(patch, np.float32), (x2 - x1 + y2 - y1) / 2))
    return found
