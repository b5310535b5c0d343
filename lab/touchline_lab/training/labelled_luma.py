"""Luma of whole pictures at full size with their balls and people, real or rendered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.video.luma import full_scale, luma_picture
from touchline_lab.evaluation.dataset import read_dataset
from touchline_lab.training.picture_sets import match_of
from touchline_lab.training.render_balls import coded_clip

__all__ = ["LabelledLuma", "real_luma", "rendered_luma"]

FRAMES: Final = (3, 7, 11)
"""Frames of a rendered scene that are used: neighbours are nearly the same."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledLuma:
    """One picture.

    Attributes:
        luma: (height, width) uint8.
        balls: (n, 4) x1, y1, x2, y2 in pixels.
        people: (m, 4) the same.
    """

    luma: npt.NDArray[np.uint8]
    balls: npt.NDArray[np.float64]
    people: npt.NDArray[np.float64]


def real_luma(folder: Path, matches: Sequence[str], *, of_these: bool) -> list[LabelledLuma]:
    """The pictures of a labelled set.

    Args:
        folder: See `touchline_lab.evaluation.dataset`.
        matches: Names of matches.
        of_these: Whether only these matches are read, or all others.
    """
    return [
        _labelled(np.asarray(cv2.cvtColor(picture.image, cv2.COLOR_BGR2GRAY), np.uint8), picture.boxes)
        for picture in read_dataset(folder)
        if (match_of(picture.name) in matches) is of_these and picture.boxes is not None
    ]


def rendered_luma(seeds: Sequence[int]) -> Iterator[LabelledLuma]:
    """A few frames of each rendered scene, encoded and decoded."""
    for seed in seeds:
        frames, pictures, size = coded_clip(seed)
        for number in FRAMES:
            full = luma_picture(number, frames[number], size, scale=full_scale(size))
            assert full is not None
            yield _labelled(full.luma, np.array(pictures[number].boxes, np.float64).reshape(-1, 5))


def _labelled(luma: npt.NDArray[np.uint8], boxes: npt.NDArray[np.float64]) -> LabelledLuma:
    ball = boxes[:, 0] == BALL
    return LabelledLuma(luma, boxes[ball, 1:], boxes[~ball, 1:])
