"""The network that searches the ball in a small part of a frame; always on the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inference.bundled_models import WEIGHTS
from services.inference.luma_networks import Floats, LumaNetwork, load_luma_network, peaks
from services.results import LumaPicture

__all__ = ["HIGH", "STEP", "WIDE", "BallNetwork", "load_ball_network"]

WIDE: Final = 96
"""Width of a crop, in pixels of the luma picture."""
HIGH: Final = 64
"""Its height."""
STEP: Final = 4
"""Pixels of the crop from one cell of the output to the next."""
MIN_SCORE: Final = 0.3
"""Minimum score of a ball that is given."""
MAX_BALLS: Final = 2
"""Balls given for one crop at most."""
SIZES: Final = (1, 2, 4)
"""Crops at a time; fewer are padded."""


class BallNetwork:
    """Finds balls near given places.

    Args:
        run: Takes crops (n, 1, HIGH, WIDE) uint8, n one of SIZES; gives (n, 4, HIGH / 4, WIDE / 4): a logit,
            how far right of and below the middle of its cell a ball is, and the logarithm of its width, in
            cells.
    """

    def __init__(self, run: LumaNetwork) -> None:
        self._run = run

    def find(self, asks: Sequence[tuple[LumaPicture, npt.NDArray[np.float64]]]) -> list[Floats]:
        """Balls near a place in each luma picture.

        Args:
            asks: Luma pictures, and places (2,) in source pixels.

        Returns:
            For each (n, 5): x1, y1, x2, y2 in source pixels, score; by falling score.

        Raises:
            InferenceError: The network failed.
        """
        found: list[Floats] = []
        for first in range(0, len(asks), SIZES[-1]):
            some = asks[first : first + SIZES[-1]]
            size = next(size for size in SIZES if size >= len(some))
            crops = np.zeros((size, 1, HIGH, WIDE), np.uint8)
            corners = [
                _crop(picture, place, crop[0]) for (picture, place), crop in zip(some, crops, strict=False)
            ]
            raw = self._run(crops)
            found += [
                _boxes(one, corner, picture)
                for one, corner, (picture, _) in zip(raw, corners, some, strict=False)
            ]
        return found

    def warm(self) -> None:
        """Run every number of crops once."""
        for size in SIZES:
            self._run(np.zeros((size, 1, HIGH, WIDE), np.uint8))


def _crop(
    picture: LumaPicture, place: npt.NDArray[np.float64], crop: npt.NDArray[np.uint8]
) -> tuple[int, int]:
    """Cut a crop out, moved into the picture where it is near the edge; its left upper corner."""
    height, width = picture.luma.shape
    x, y = (
        max(0, min(round(float(at) / picture.scale - side / 2), maximum - side))
        for at, side, maximum in zip(place, (WIDE, HIGH), (width, height), strict=True)
    )
    part = picture.luma[y : y + HIGH, x : x + WIDE]
    crop[: part.shape[0], : part.shape[1]] = part
    return x, y


def _boxes(raw: Floats, corner: tuple[int, int], picture: LumaPicture) -> Floats:
    """The highest cells, each the best one of those around it."""
    rows = []
    for right, down, score, (size,) in peaks(raw, STEP, MIN_SCORE, MAX_BALLS):
        x, y = corner[0] + right, corner[1] + down
        half = STEP * math.exp(max(-3.0, min(size, 3.0))) / 2
        box = (x - half, y - half, x + half, y + half)
        rows.append([*(picture.scale * side for side in box), score])
    return np.array(rows, np.float32).reshape(-1, 5)


def load_ball_network(runtime: str, path: Path = WEIGHTS / "touchline-ball.npz") -> BallNetwork:
    """Load the network.

    Args:
        runtime: RUNTIME: OpenVINO runs it where it is installed, unless that asks for torch.
        path: Its weights for torch; the OpenVINO file lies beside them.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    # one thread: a crop is far too small to share among cores
    return BallNetwork(load_luma_network(path, "BallModule", runtime))
