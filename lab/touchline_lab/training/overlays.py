"""Overlays as television draws them: score boards, logos, name bars, tickers. None is a person or a ball."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

__all__ = ["overlay_bank"]

OVERLAYS: Final = 192
"""Number of overlays that are drawn beforehand."""
LETTERS: Final = "ABCDEFGHIJKLMNOPRSTUVWXYZ0123456789:-+"
"""What the texts are made of."""

Overlay = npt.NDArray[np.uint8]


def overlay_bank(size: tuple[int, int], seed: int) -> torch.Tensor:
    """Draw overlays.

    Args:
        size: Width and height in pixels.
        seed: Determines them.

    Returns:
        (OVERLAYS, 4, height, width) uint8: RGB and opacity.
    """
    random = np.random.default_rng([seed, 7])
    drawn = np.stack([_overlay(random, size) for _ in range(OVERLAYS)])
    return torch.from_numpy(np.ascontiguousarray(drawn.transpose(0, 3, 1, 2)))


def _overlay(random: np.random.Generator, size: tuple[int, int]) -> Overlay:
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    for _ in range(int(random.integers(1, 4))):
        (_bar, _logo, _bar, _ticker)[int(random.integers(4))](random, canvas)
    if random.random() < 0.3:  # drawn by the encoder of another size: soft edges
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), random.uniform(0.4, 1.2)), np.uint8)
    return canvas


def _colour(random: np.random.Generator, opacity: int) -> tuple[int, int, int, int]:
    red, green, blue = (int(value) for value in random.integers(0, 256, 3))
    return red, green, blue, opacity


def _text(random: np.random.Generator, length: int) -> str:
    return "".join(LETTERS[int(letter)] for letter in random.integers(0, len(LETTERS), length))


def _bar(random: np.random.Generator, canvas: Overlay) -> None:
    """A score board or a name bar: fields of several colours with short texts."""
    height, width = canvas.shape[:2]
    high = int(random.uniform(0.03, 0.09) * height)
    x = int(random.uniform(0, 0.8) * width)
    corner = random.random() < 0.7
    y = int((random.uniform(0.03, 0.15) if corner else random.uniform(0.6, 0.9)) * height)
    opacity = int(random.integers(170, 256))
    for _ in range(int(random.integers(1, 6))):
        wide = int(random.uniform(0.03, 0.14) * width)
        cv2.rectangle(canvas, (x, y), (x + wide, y + high), _colour(random, opacity), -1)
        scale = high / 30 * random.uniform(0.7, 1.0)
        font = int(random.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
        place = (x + 2, y + int(high * 0.75))
        text = _text(random, int(random.integers(1, 6)))
        cv2.putText(canvas, text, place, font, scale, _colour(random, 255), 1, cv2.LINE_AA)
        x += wide


def _logo(random: np.random.Generator, canvas: Overlay) -> None:
    """A logo: discs, rings, polygons; also round white ones, and upright ones as high as a person."""
    height, width = canvas.shape[:2]
    x, y = int(random.uniform(0.03, 0.97) * width), int(random.uniform(0.03, 0.25) * height)
    if random.random() < 0.3:
        y = height - y
    side = int(random.uniform(0.01, 0.07) * width)
    for _ in range(int(random.integers(1, 5))):
        colour = _colour(random, int(random.integers(150, 256)))
        centre = (x + int(random.normal(0, side / 3)), y + int(random.normal(0, side / 3)))
        kind = random.random()
        if kind < 0.4:
            thickness = -1 if random.random() < 0.6 else max(1, side // 6)
            cv2.circle(canvas, centre, max(2, int(side * random.uniform(0.2, 1))), colour, thickness)
        elif kind < 0.7:
            corners = np.array(centre) + random.normal(0, side, (int(random.integers(3, 7)), 2)) * (0.5, 1)
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour)
        else:
            text = _text(random, int(random.integers(1, 4)))
            cv2.putText(canvas, text, centre, cv2.FONT_HERSHEY_TRIPLEX, side / 25, colour, 2, cv2.LINE_AA)


def _ticker(random: np.random.Generator, canvas: Overlay) -> None:
    """A strip over the whole width, at the bottom."""
    height, width = canvas.shape[:2]
    high = int(random.uniform(0.04, 0.09) * height)
    y = int(random.uniform(0.75, 0.95) * height)
    cv2.rectangle(canvas, (0, y), (width, y + high), _colour(random, int(random.integers(120, 256))), -1)
    text = _text(random, 40)
    colour = _colour(random, 255)
    cv2.putText(canvas, text, (0, y + int(high * 0.8)), cv2.FONT_HERSHEY_SIMPLEX, high / 30, colour, 1)
