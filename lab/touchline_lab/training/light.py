"""Applies night, rain and other light to a training sample, in ranges that broadcasts may have."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["change_light"]

Picture = npt.NDArray[np.uint8]


def change_light(random: np.random.Generator, picture: Picture) -> Picture:
    """Change the light of a picture at random.

    A third of the pictures become night, a sixth rain, a sixth get another balance of colours, some become
    grey, and the rest stays the same.

    Args:
        random: Source of random numbers.
        picture: Shape (H, W, 3), BGR, in the size of the networks' input.
    """
    kind = random.random()
    if kind < 0.33:
        return _night(random, picture)
    if kind < 0.5:
        return _rain(random, picture)
    if kind < 0.66:
        return _balance(random, picture)
    if kind < 0.72:
        return np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    return picture


def _night(random: np.random.Generator, picture: Picture) -> Picture:
    """Dim and tinted light, darker towards the edges, with noise."""
    height, width = picture.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    falloff = 1 - random.uniform(0, 0.4) * np.minimum(1, x[None, :] ** 2 + y[:, None] ** 2)
    gain = (random.uniform(0.25, 0.8) * random.uniform(0.85, 1.15, 3)).astype(np.float32)
    grain = random.standard_normal((height, width, 1), dtype=np.float32) * np.float32(random.uniform(0, 5))
    return np.asarray(np.clip(picture * (falloff[..., None] * gain) + grain, 0, 255), np.uint8)


def _rain(random: np.random.Generator, picture: Picture) -> Picture:
    """A veil, softer outlines and slanting streaks."""
    height, width = picture.shape[:2]
    share = random.uniform(0.1, 0.45)
    veil = np.full_like(picture, int(random.integers(110, 190)))
    soft = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.2, 0.7))
    veiled = cv2.addWeighted(soft, 1 - share, veil, share, 0)
    starts = random.uniform((0, 0), (width, height), (int(random.integers(50, 500)), 2))
    length = random.uniform(0.01, 0.03, (len(starts), 1)) * height
    ends = starts + length * (random.uniform(-0.4, 0.4), 1.0)
    streaks = veiled.copy()
    cv2.polylines(streaks, list(np.stack([starts, ends], axis=1).astype(np.int32)), False, (205, 205, 200), 1)
    return np.asarray(cv2.addWeighted(streaks, 0.25, veiled, 0.75, 0), np.uint8)


def _balance(random: np.random.Generator, picture: Picture) -> Picture:
    """Another gain for every channel, and another gamma."""
    levels = np.linspace(0, 1, 256)
    gamma = random.uniform(0.7, 1.5)
    tables = [np.clip(255 * random.uniform(0.75, 1.25) * levels**gamma, 0, 255) for _ in range(3)]
    return np.asarray(cv2.LUT(picture, np.stack(tables, axis=1)[:, None].astype(np.uint8)), np.uint8)
