"""One object over the clip."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from services.tracking.camera.homography import Matrix

VOTERS = 7
"""Sampled frames before and after that have a say in the class of a sampled frame."""


@dataclass(slots=True)
class Track:
    """One object over the clip.

    Attributes:
        id: Rising from 1 in order of first appearance.
        frames: Frame numbers of the sampled frames in which it was seen.
        boxes: x1, y1, x2, y2 in source pixels, one per entry of `frames`.
        labels: The class it was seen as, one per entry of `frames`.
        scores: How surely, 0 to 1, one per entry of `frames`.
        velocity: Pixels per frame over the ground, or None while it was seen once.
    """

    id: int
    frames: list[int] = field(default_factory=list)
    boxes: list[npt.NDArray[np.float32]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    velocity: Matrix | None = None

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The class at each entry of `frames`: the one with most votes among its neighbours.

        Not one class for the whole track: where two people cross, a track may go on with the other one, and
        a referee must not become a player for the rest of the clip. The smaller id where votes are even.
        """
        labels = np.array(self.labels)
        known = np.unique(labels)
        votes = np.where(labels == known[:, None], np.array(self.scores), 0.0).cumsum(axis=1)
        votes = np.concatenate([np.zeros((len(known), 1)), votes], axis=1)
        at = np.arange(len(labels))
        last = np.minimum(at + VOTERS + 1, len(labels))
        sums = votes[:, last] - votes[:, np.maximum(at - VOTERS, 0)]
        return np.asarray(known[np.round(sums, 6).argmax(axis=0)], np.int64)

    @property
    def class_id(self) -> int:
        """The class with most votes in the latest sampled frames."""
        votes: dict[int, float] = {}
        for label, score in zip(self.labels[-VOTERS:], self.scores[-VOTERS:], strict=True):
            votes[label] = votes.get(label, 0.0) + score
        return min(votes, key=lambda c: (-votes[c], c))

    @property
    def height(self) -> float:
        """Height of the latest box, pixels."""
        return float(self.boxes[-1][3] - self.boxes[-1][1])

    def observe(self, frame: int, box: npt.NDArray[np.float32], class_id: int, score: float) -> None:
        """Add an observation."""
        self.frames.append(frame)
        self.boxes.append(box)
        self.labels.append(class_id)
        self.scores.append(score)
