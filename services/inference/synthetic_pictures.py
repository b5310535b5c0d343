"""Synthetic pictures with something in them, on which models are tried and compared."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.video.letterbox import Image

FIGURES: Final = 24
"""Figures in each picture: as many as people and balls in a full view of a match."""


def synthetic_pictures(count: int, height: int, width: int) -> list[Image]:
    """Pictures of a green ground with lines, figures of several sizes and some noise; always the same.

    Args:
        count: How many.
        height: Of each in pixels, 64 or more.
        width: Of each in pixels, 64 or more.
    """
    rng = np.random.default_rng(11)
    found = []
    for _ in range(count):
        picture = np.full((height, width, 3), (60, 130, 50), np.float32)
        picture[:, ::64] += 60
        for _ in range(FIGURES):
            top, left = rng.integers(0, height - 48), rng.integers(0, width - 24)
            tall, wide = rng.integers(4, 48), rng.integers(4, 24)
            picture[top : top + tall, left : left + wide] = rng.integers(0, 255, 3)
        found.append(np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8))
    return found
