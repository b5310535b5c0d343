"""Samples for the fine ball detector: windows of pictures at full size, varied, with their targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.inference.fine_ball_detector import STEP
from touchline_lab.training.labelled_luma import LabelledLuma
from touchline_lab.training.pasted_balls import BallPaster
from touchline_lab.training.peaks import peak_targets

__all__ = ["HIGH", "WIDE", "FineBallSamples"]

WIDE: Final = 256
"""Width of a sample, pixels."""
HIGH: Final = 192
"""Its height."""
PEAK_WIDTH: Final = 0.6
"""Standard deviation in cells of the peak that a ball has in the target."""
RENDERED_SHARE: Final = 0.3
"""Share of the samples that are rendered."""
BALL_SHARES: Final = (0.45, 0.6)
"""Shares of the real and of the rendered samples whose picture has a ball; 0.45 of them have it in view."""
HARD_SHARE: Final = 0.5
"""Share of the other samples that lie where the network has found a ball that is none."""
PEOPLE_SHARE: Final = 0.6
"""Share of the rest that lies at a person's feet."""
PASTED_SHARE: Final = 0.45
"""Share of the samples into which one to three balls are pasted."""
ZOOMS: Final = (0.6, 1.5)
"""Picture pixels per sample pixel of most samples; a quarter of the real ones is closer than that."""
CLOSE_ZOOMS: Final = (0.3, 0.6)
"""The same of those: a ball is as large there as on television."""
PASTED_SIZES: Final = (8.0, 16.0)
"""Widths of pasted balls, in pixels of the picture."""

Window = npt.NDArray[np.float64]
"""x, y, width and height in the picture, pixels."""


class FineBallSamples:
    """Draws samples.

    Args:
        real: Real pictures.
        rendered: Rendered pictures.
        seed: Determines everything that is drawn.

    Attributes:
        hard: For the numbers of real pictures, middles (n, 2) of balls that were found and are none.
    """

    def __init__(self, real: Sequence[LabelledLuma], rendered: Sequence[LabelledLuma], seed: int) -> None:
        self._sets = (real, rendered)
        self._with_ball = tuple(
            [number for number, picture in enumerate(own) if len(picture.balls)] for own in self._sets
        )
        self._random = np.random.default_rng(seed)
        self._paster = BallPaster(real, self._random)
        self.hard: Mapping[int, npt.NDArray[np.float64]] = {}

    def batch(
        self, count: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Draw samples: luma (n, HIGH, WIDE), and their targets (see `peak_targets`)."""
        drawn = [self._sample() for _ in range(count)]
        luma, peaks, positions = (np.stack(part) for part in zip(*drawn, strict=True))
        return luma, peaks, positions

    def _sample(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        random = self._random
        is_rendered = int(random.random() < RENDERED_SHARE)
        pictures, with_ball = self._sets[is_rendered], self._with_ball[is_rendered]
        aim = random.random()
        chosen = with_ball if aim < BALL_SHARES[is_rendered] else range(len(pictures))
        number = int(chosen[int(random.integers(len(chosen)))])
        picture = pictures[number]
        hard = None if is_rendered else self.hard.get(number)
        window = self._window(picture, aim < BALL_SHARES[0], hard, close=not is_rendered)
        luma, balls, people = _cut(picture, window)
        if random.random() < PASTED_SHARE:
            balls = self._with_pasted(luma, balls, people, WIDE / window[2])
        if random.random() < 0.5:
            luma = luma[:, ::-1].copy()
            balls = balls[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [WIDE, 0, WIDE, 0]
        table = np.concatenate(
            [(balls[:, :2] + balls[:, 2:]) / 2, np.maximum(balls[:, 2:] - balls[:, :2], 2)], 1
        )
        targets = peak_targets(table / STEP, (HIGH // STEP, WIDE // STEP), PEAK_WIDTH)
        return (self._varied(luma), *targets)

    def _window(
        self, picture: LabelledLuma, at_ball: bool, hard: npt.NDArray[np.float64] | None, *, close: bool
    ) -> Window:
        random = self._random
        height, width = picture.luma.shape
        zoom = math.exp(random.uniform(*np.log(ZOOMS))) if random.random() < 0.7 else 1.0
        if close and random.random() < 0.25:
            zoom = math.exp(random.uniform(*np.log(CLOSE_ZOOMS)))
        size = np.array([WIDE, HIGH]) * min(zoom, width / WIDE, height / HIGH)
        if at_ball and len(picture.balls):
            middle = (picture.balls[0, :2] + picture.balls[0, 2:]) / 2 + random.uniform(-0.46, 0.46, 2) * size
        elif hard is not None and len(hard) and random.random() < HARD_SHARE:
            middle = hard[int(random.integers(len(hard)))] + random.uniform(-0.45, 0.45, 2) * size
        elif len(picture.people) and random.random() < PEOPLE_SHARE:
            x1, _, x2, y2 = picture.people[int(random.integers(len(picture.people)))]
            middle = np.array([(x1 + x2) / 2, y2]) + random.uniform(-0.4, 0.4, 2) * size
        else:
            middle = random.uniform(0, 1, 2) * [width, height]
        corner = np.clip(middle - size / 2, 0, np.array([width, height]) - size)
        return np.concatenate([np.floor(corner), np.round(size)])

    def _with_pasted(
        self, luma: npt.NDArray[np.float32], balls: Window, people: Window, scale: float
    ) -> npt.NDArray[np.float64]:
        """The balls with one to three more, many of them at people's feet or before them."""
        random, found = self._random, list(balls)
        visible = [
            box for box in people if box[2] > 0 and box[0] < WIDE and 0 < box[3] < HIGH + 20 and box[1] < HIGH
        ]
        for _ in range(int(random.integers(1, 4))):
            size = float(np.clip(random.uniform(*PASTED_SIZES) * scale, 4.5, 40))
            middle = random.uniform(0, 1, 2) * [WIDE, HIGH]
            if visible and random.random() < 0.6:
                x1, y1, x2, y2 = visible[int(random.integers(len(visible)))]
                aside = 0.6 * (x2 - x1)
                at_feet = y2 - size / 2 + random.normal(0, 0.12) * (y2 - y1)
                height = at_feet if random.random() < 0.7 else random.uniform(y1, y2)
                middle = np.array([random.uniform(x1 - aside, x2 + aside), height])
            apart = [np.hypot(*(middle - (box[:2] + box[2:]) / 2)) for box in found]
            if all(distance >= 2.5 * size for distance in apart):
                box = self._paster.paste(luma, middle, size)
                found += [] if box is None else [box]
        return np.array(found).reshape(-1, 4)

    def _varied(self, luma: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Other sharpness, light, noise and compression."""
        random = self._random
        if random.random() < 0.2:
            luma = np.asarray(cv2.GaussianBlur(luma, (0, 0), random.uniform(0.4, 1.0)), np.float32)
        if random.random() < 0.15:
            luma = luma + random.uniform(0.5, 1.2) * (luma - cv2.GaussianBlur(luma, (0, 0), 1.5))
        lit = 128 * np.sign(luma) * np.abs(luma / 128) ** random.uniform(0.75, 1.35)
        lit = lit * random.uniform(0.65, 1.3) + random.uniform(-25, 25)
        if random.random() < 0.4:
            lit = lit + random.standard_normal(luma.shape, np.float32) * random.uniform(0, 7)
        varied = np.clip(lit, 0, 255).astype(np.uint8)
        if random.random() < 0.5:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))]
            coded = cv2.imencode(".jpg", varied, quality)[1]
            varied = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
        return varied


def _cut(picture: LabelledLuma, window: Window) -> tuple[npt.NDArray[np.float32], Window, Window]:
    """A window of a picture at the size of a sample, with its balls and people in pixels of the sample."""
    x, y, wide, high = (int(value) for value in window)
    part = picture.luma[y : y + high, x : x + wide]
    how = cv2.INTER_AREA if wide > WIDE else cv2.INTER_CUBIC
    luma = np.asarray(cv2.resize(part, (WIDE, HIGH), interpolation=how), np.float32)
    scale = np.array([WIDE / part.shape[1], HIGH / part.shape[0]] * 2)
    balls, people = ((boxes - [x, y, x, y]) * scale for boxes in (picture.balls, picture.people))
    return luma, balls, people
