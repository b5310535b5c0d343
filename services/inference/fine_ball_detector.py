"""The fine ball detector: a small network that searches the ball in the luma of a whole frame.

The detector's input is half as wide as most clips, and a ball is a few pixels wide in it. This network takes
the luma at full size instead; its scores and those of the detector are combined.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from services.inference.bundled_models import WEIGHTS
from services.inference.luma_networks import Floats, LumaNetwork, load_luma_network, peaks
from services.pitch import BALL
from services.results import Detections, LumaPicture

__all__ = ["STEP", "FineBallDetector", "combined", "load_fine_ball_detector"]

STEP: Final = 8
"""Pixels of the picture from one cell of the output to the next."""
MIN_SCORE: Final = 0.1
"""Minimum score of a ball that is given."""
MAX_BALLS: Final = 3
"""Balls given for one picture at most."""
MAX_SIZE: Final = 3.0
"""Maximum of the logarithm of a ball's width and height in cells, and its minimum below 0: 160 pixels."""
MIN_SIDE: Final = 1.0
"""Minimum width and height of a ball in the picture, source pixels."""
SHARE: Final = 0.6
"""Weight of the fine ball detector in a combined score; the rest is the detector's."""
SAME_BALL: Final = 1.0
"""Two balls are one if their middles are at most this far apart, in widths of the wider one."""
WARM_SIZES: Final = ((720, 1280), (1080, 1920))
"""Heights and widths of the pictures that it is prepared for."""


class FineBallDetector:
    """Finds balls in the luma of whole frames.

    Args:
        run: Takes luma (1, 1, h, w) uint8, both sides multiples of STEP; gives (1, 5, h / STEP, w / STEP),
            the output of `FineBallModule`.
    """

    def __init__(self, run: LumaNetwork) -> None:
        self._run = run

    def find(self, picture: LumaPicture) -> Detections:
        """The balls of one frame, at most MAX_BALLS, in source pixels, by falling score.

        Raises:
            InferenceError: The network failed.
        """
        height, width = picture.luma.shape
        luma = np.pad(picture.luma, ((0, -height % STEP), (0, -width % STEP)), mode="edge")
        rows = []
        for x, y, score, sizes in peaks(self._run(luma[None, None])[0], STEP, MIN_SCORE, MAX_BALLS):
            right, down = (STEP * math.exp(max(-MAX_SIZE, min(size, MAX_SIZE))) / 2 for size in sizes)
            rows.append((x - right, y - down, x + right, y + down, score))
        boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4) * np.float32(picture.scale)
        limit = np.array([width, height, width, height], np.float32) * np.float32(picture.scale)
        found = Detections(
            np.clip(boxes, 0, limit).astype(np.float32),
            np.array([row[4] for row in rows], np.float32),
            np.full(len(rows), BALL, np.int64),
        )
        # what lies in the padding has no area in the picture
        return found.select(
            np.asarray((found.boxes[:, 2:] - found.boxes[:, :2] > MIN_SIDE).all(axis=1), bool)
        )

    def warm(self) -> None:
        """Run the usual sizes of pictures once."""
        for height, width in WARM_SIZES:
            self._run(np.zeros((1, 1, height, width), np.uint8))


def combined(found: Detections, fine: Detections) -> Detections:
    """The detector's boxes, with balls whose scores count what both detectors say.

    A ball that both found has the place of the fine one and the weighted mean of the scores; one that a
    single detector found has its weighted score.

    Args:
        found: The detector's boxes, balls of low confidence among them.
        fine: What the fine ball detector found in the same frame.

    Returns:
        Boxes by descending score.
    """
    people = found.select(found.classes != BALL)
    balls = found.select(found.classes == BALL)
    scores = SHARE * fine.scores
    alone = np.ones(len(balls.scores), bool)
    for number, box in enumerate(fine.boxes):
        same = _same_ball(box, balls.boxes)
        alone &= ~same
        if same.any():
            scores[number] += (1 - SHARE) * balls.scores[same].max()
    rest = balls.select(alone)
    weighted = Detections(rest.boxes, (1 - SHARE) * rest.scores, rest.classes)
    placed = Detections(fine.boxes, scores.astype(np.float32), fine.classes)
    return people.joined(placed).joined(weighted).by_score()


def _same_ball(box: Floats, others: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which of other boxes (n, 4) show the same ball as this one (4,)."""
    away = np.hypot(*((others[:, :2] + others[:, 2:]) / 2 - (box[:2] + box[2:]) / 2).T)
    wider = np.maximum(others[:, 2] - others[:, 0], box[2] - box[0])
    return np.asarray(away <= SAME_BALL * wider, bool)


def load_fine_ball_detector(
    runtime: str,
    device: str,
    slots: int,
    threads: int,
    path: Path = WEIGHTS / "touchline-ball-fine.npz",
) -> FineBallDetector:
    """Load the bundled one.

    Args:
        runtime: RUNTIME: OpenVINO runs it on a CPU where it is installed, unless that asks for torch.
        device: The torch device.
        slots: Calls that run at the same time; further ones wait.
        threads: CPU threads of one call.
        path: Its weights for torch; the OpenVINO file lies beside them.

    Raises:
        ModelNotReady: It cannot be loaded.
    """
    return FineBallDetector(
        load_luma_network(path, "FineBallModule", runtime, device=device, slots=slots, threads=threads)
    )
