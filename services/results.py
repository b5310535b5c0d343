"""What models say about one frame, in source pixels: the values that travel from inference to tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one frame.

    Attributes:
        boxes: (n, 4) float32, x1, y1, x2, y2 in source pixels.
        scores: (n,) float32, 0 to 1.
        classes: (n,) int64, wire class ids (0 ball, 1 goalkeeper, 2 player, 3 referee).
    """

    boxes: Floats
    scores: Floats
    classes: Ints

    def select(self, which: npt.NDArray[np.bool_]) -> Detections:
        """Those for which (n,) is true."""
        return Detections(self.boxes[which], self.scores[which], self.classes[which])

    def joined(self, other: Detections) -> Detections:
        """These and then the others."""
        return Detections(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.classes, other.classes]),
        )

    def by_score(self) -> Detections:
        """The same by descending score; equal ones stay in their order."""
        order = np.argsort(-self.scores, kind="stable")
        return Detections(self.boxes[order], self.scores[order], self.classes[order])

    @classmethod
    def empty(cls) -> Detections:
        """No boxes."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Shirts:
    """What players wear in one frame.

    Attributes:
        boxes: (n, 4) float32, those of the players, x1, y1, x2, y2 in source pixels.
        colours: (n, 3) float32, CIE L*a*b* of each one's shirt.
    """

    boxes: Floats
    colours: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Pitch keypoints of one frame.

    Attributes:
        points: (32, 2) float32, source pixels.
        scores: (32,) float32, 0 to 1; 0 for one that was not found.
    """

    points: Floats
    scores: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PaintedLines:
    """How far each place of a picture is from the nearest painted line.

    Attributes:
        distances: (height, width) uint8, in parts of a pixel of this array; its largest value stands for all
            larger distances.
        scale: Pixels of the array per source pixel.
    """

    UNIT: ClassVar[int] = 4
    """Parts of a pixel in which distances are counted."""

    distances: npt.NDArray[np.uint8]
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class LumaPicture:
    """The luma of a frame, in which nothing but the ball is searched.

    Attributes:
        index: Source frame number, from 0.
        luma: (height, width) uint8.
        scale: Source pixels per pixel of it.
    """

    index: int
    luma: npt.NDArray[np.uint8]
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """Everything inferred from one sampled frame.

    Attributes:
        index: Source frame number, from 0.
        detections: Its boxes.
        keypoints: None when they were not asked for.
        thumbnail: (18, 32, 3) uint8, the picture itself, very small, which tells cuts; or None. Of frames
            between sampled frames (18, 32), the brightness alone.
        luma_pictures: Input of the second ball pass: frames since the previous sampled frame, then this one.
        ball_candidates: Balls below the confidence threshold, for the second ball pass; None without it, and
            where the fine ball detector has searched the whole frame.
        painted_lines: Where painted lines are; None where keypoints were not asked for or not found.
        shirts: What players wear; None where no kind asks for it.
        intermediate: Frames since the previous sampled frame in which the second ball pass searched, rising.
    """

    index: int
    detections: Detections
    keypoints: Keypoints | None
    thumbnail: npt.NDArray[np.uint8] | None = None
    luma_pictures: tuple[LumaPicture, ...] = ()
    ball_candidates: Detections | None = None
    painted_lines: PaintedLines | None = None
    shirts: Shirts | None = None
    intermediate: tuple[FrameResult, ...] = ()
