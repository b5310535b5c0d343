"""Night and rain over a finished picture. Geometry stays as it is, and with it the truth."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from services.demo.figures import Image

__all__ = ["apply_weather"]

_NIGHT: Final = (0.50, 0.46, 0.42)  # gain of blue, green, red: floodlights are cold
_NIGHT_NOISE: Final = 5.0
_VEIL: Final = (150, 148, 145)
_VEIL_SHARE: Final = 0.3
_STREAKS_PER_PIXEL: Final = 1 / 2500


def apply_weather(image: Image, weather: str, seed: int, frame: int) -> Image:
    """Recolour a picture.

    Args:
        image: Shape (height, width, 3), BGR; left as it is.
        weather: ``day``, ``night`` or ``rain``.
        seed: Decides, together with ``frame``, where grain and drops are.
        frame: Number of the frame.
    """
    if weather == "day":
        return image
    random = np.random.default_rng([seed, 4, frame])
    return _night(image, random) if weather == "night" else _rain(image, random)


def _night(image: Image, random: np.random.Generator) -> Image:
    """Dim and cold, darker towards the edges, with a sensor's grain."""
    height, width = image.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    falloff = 1 - 0.25 * np.minimum(1, x[None, :] ** 2 + y[:, None] ** 2)
    grain = random.standard_normal((height // 2, width // 2), dtype=np.float32) * _NIGHT_NOISE
    dim = image * (falloff[..., None] * np.array(_NIGHT, np.float32))
    return np.asarray(np.clip(dim + cv2.resize(grain, (width, height))[..., None], 0, 255), np.uint8)


def _rain(image: Image, random: np.random.Generator) -> Image:
    """A grey veil, softened outlines and slanting streaks."""
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(image, (0, 0), 0.8)
    veiled = cv2.addWeighted(soft, 1 - _VEIL_SHARE, np.full_like(image, _VEIL), _VEIL_SHARE, 0)
    streaks = veiled.copy()
    count = int(height * width * _STREAKS_PER_PIXEL)
    starts = random.uniform((0, 0), (width, height), (count, 2))
    length = random.uniform(0.01, 0.03, (count, 1)) * height
    ends = starts + length * (0.15, 1.0)
    lines = np.stack([starts, ends], axis=1).astype(np.int32)
    cv2.polylines(streaks, list(lines), False, (205, 205, 200), 1, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(streaks, 0.5, veiled, 0.5, 0), np.uint8)
