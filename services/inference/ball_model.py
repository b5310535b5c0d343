"""A detector whose balls come from a model of their own."""

from __future__ import annotations

from typing import Protocol

from services.inference.backend import Backend
from services.inference.class_map import BALL, map_ball
from services.inference.detector import Detector
from services.results import Detections
from services.video.letterbox import Image, Letterbox


def ball_detector(backend: Backend, confidence: float, maximum: int) -> Detector:
    """A detector that gives nothing but balls.

    Raises:
        ModelNotReady: The model finds no boxes, or none that is known to be of a ball.
    """
    return Detector(backend, confidence, maximum, wire_classes=map_ball(backend.names))


class FindsBoxes(Protocol):
    """A detector."""

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Detections]:
        """Boxes of each picture, in source pixels."""


class SeparateBallDetector:
    """Boxes of one detector, but the balls of another.

    Args:
        detector: Finds people; its balls are dropped.
        ball: Finds balls, and looks at the same pictures.
    """

    def __init__(self, detector: FindsBoxes, ball: FindsBoxes) -> None:
        self._detector = detector
        self._ball = ball

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Detections]:
        """Detect in one batch; boxes come back in source pixels, by falling score.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.
            letterbox: How the source lies in them.

        Raises:
            InferenceError: The device or a model failed.
        """
        found, balls = self._detector.predict(images, letterbox), self._ball.predict(images, letterbox)
        return [
            one.select(one.classes != BALL).joined(other).by_score()
            for one, other in zip(found, balls, strict=True)
        ]
