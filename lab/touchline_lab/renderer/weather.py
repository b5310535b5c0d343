"""Applies night, rain and other light to a rendered picture; the ground truth stays the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from touchline_lab.renderer.figures import Image

__all__ = ["apply_weather"]

_NIGHT: Final = (0.50, 0.46, 0.42)
"""Factors for blue, green and red at night: floodlights are cold."""
_NIGHT_NOISE: Final = 5.0
"""Standard deviation of the noise at night, in grey levels."""
_VEIL: Final = (150, 148, 145)
"""Colour of the veil of rain (blue, green, red)."""
_VEIL_SHARE: Final = 0.3
"""Opacity of the veil of rain."""
_STREAKS_PER_PIXEL: Final = 1 / 2500
"""Streaks of rain per pixel."""
_DUSK: Final = (0.34, 0.44, 0.54)
"""Factors for blue, green and red at dusk: a low sun, warmer than any light in training."""
_DUSK_FALLOFF: Final = 0.35
"""Share of the light that is lost from the side of the sun to the other."""
_DUSK_NOISE: Final = 4.0
"""Standard deviation of the noise at dusk, in grey levels."""
_DOWNPOUR_VEIL: Final = (125, 128, 130)
"""Colour of the veil of a downpour (blue, green, red)."""
_DOWNPOUR_SHARE: Final = 0.5
"""Opacity of the veil of a downpour."""


def apply_weather(image: Image, weather: str, seed: int, frame: int) -> Image:
    """Recolour a picture.

    Args:
        image: Shape (height, width, 3), BGR; it is not changed.
        weather: ``day``, ``night``, ``rain``, or, in held-out scenes, ``dusk`` or ``downpour``.
        seed: Seed of the match; together with ``frame`` it determines noise and drops.
        frame: Frame number.
    """
    if weather == "day":
        return image
    random = np.random.default_rng([seed, 4, frame])
    return _WEATHER[weather](image, random)


def _night(image: Image, random: np.random.Generator) -> Image:
    """Dim and cold light, darker towards the edges, with the noise of a sensor."""
    height, width = image.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    falloff = 1 - 0.25 * np.minimum(1, x[None, :] ** 2 + y[:, None] ** 2)
    grain = random.standard_normal((height // 2, width // 2), dtype=np.float32) * _NIGHT_NOISE
    dim = image * (falloff[..., None] * np.array(_NIGHT, np.float32))
    return np.asarray(np.clip(dim + cv2.resize(grain, (width, height))[..., None], 0, 255), np.uint8)


def _rain(image: Image, random: np.random.Generator) -> Image:
    """A grey veil, softer outlines and slanting streaks."""
    return _pour(image, random, _VEIL, _VEIL_SHARE, _STREAKS_PER_PIXEL, 0.15)


def _downpour(image: Image, random: np.random.Generator) -> Image:
    """A denser and darker veil, and twice as many streaks, which slant the other way."""
    return _pour(image, random, _DOWNPOUR_VEIL, _DOWNPOUR_SHARE, 2 * _STREAKS_PER_PIXEL, -0.6)


def _dusk(image: Image, random: np.random.Generator) -> Image:
    """Dim and warm light, darker towards one side, with the noise of a sensor."""
    height, width = image.shape[:2]
    falloff = 1 - _DUSK_FALLOFF * np.linspace(0, 1, width, dtype=np.float32)
    grain = random.standard_normal((height // 2, width // 2), dtype=np.float32) * _DUSK_NOISE
    dim = image * (falloff[None, :, None] * np.array(_DUSK, np.float32))
    return np.asarray(np.clip(dim + cv2.resize(grain, (width, height))[..., None], 0, 255), np.uint8)


def _pour(
    image: Image,
    random: np.random.Generator,
    veil: tuple[int, int, int],
    share: float,
    streaks_per_pixel: float,
    slant: float,
) -> Image:
    """Rain: ``share`` of a veil, and streaks that lean by ``slant`` of their height."""
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(image, (0, 0), 0.8)
    veiled = cv2.addWeighted(soft, 1 - share, np.full_like(image, veil), share, 0)
    streaks = veiled.copy()
    count = int(height * width * streaks_per_pixel)
    starts = random.uniform((0, 0), (width, height), (count, 2))
    length = random.uniform(0.01, 0.03, (count, 1)) * height
    ends = starts + length * (slant, 1.0)
    lines = np.stack([starts, ends], axis=1).astype(np.int32)
    cv2.polylines(streaks, list(lines), False, (205, 205, 200), 1, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(streaks, 0.5, veiled, 0.5, 0), np.uint8)


_WEATHER: Final[dict[str, Callable[[Image, np.random.Generator], Image]]] = {
    "night": _night,
    "rain": _rain,
    "dusk": _dusk,
    "downpour": _downpour,
}
