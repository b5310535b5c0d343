"""Boxes of the ball, goalkeepers, players and referees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from services.errors import ModelNotReady
from services.inference.backend import Backend, RawOutput
from services.inference.class_map import BALL, listed, map_classes
from services.inference.suppression import Rows, select, suppress
from services.results import Detections
from services.video.letterbox import Image, Letterbox

IOU_THRESHOLD: Final = 0.6
"""A box that overlaps a better one by more is the same object; players in a duel overlap by half."""
BOX_VALUES: Final = 6
"""Values of a box in an output with built-in suppression: x1, y1, x2, y2, score, class."""


def is_suppressed(raw: RawOutput, values: int, backend: Backend) -> bool:
    """Whether a raw output lists boxes, suppression being built in, instead of anchors.

    Args:
        raw: The output.
        values: Values of each anchor where it is not: box, classes, keypoints.
        backend: The model that gave it.

    Raises:
        ModelNotReady: It is neither, but the output of another kind of network.
    """
    suppressed = backend.end2end or raw.shape[-1] == BOX_VALUES
    if raw.ndim != 3 or not (suppressed or raw.shape[1] == values):
        raise ModelNotReady(
            f"the model's output has the shape {raw.shape}; (pictures, {values}, anchors) is expected, as "
            "YOLO models give it (RT-DETR and other networks are not understood)"
        )
    return suppressed


class Detector:
    """A detection model with its thresholds.

    Args:
        backend: The loaded model.
        confidence: Minimum confidence of a box.
        maximum: Maximum number of boxes per frame.
        classes: What the model's classes are where their names do not say it, as in CLASS_MAP.
        wire_classes: The wire's class of each of the model's own ids that has one, instead of by name.
        ball_confidence: Minimum confidence of a ball, where it is another one.

    Attributes:
        wire_classes: The wire's class of each of the model's own ids that has one.

    Raises:
        ModelNotReady: The model does not detect boxes, or none of its classes is a player.
    """

    def __init__(
        self,
        backend: Backend,
        confidence: float,
        maximum: int,
        classes: Iterable[str] = (),
        wire_classes: Mapping[int, int] | None = None,
        ball_confidence: float | None = None,
    ) -> None:
        if backend.task not in (None, "detect"):
            raise ModelNotReady(
                f"the detector is a model for {backend.task!r} (classes {listed(backend.names)}); "
                "one for 'detect' is needed"
            )
        self._backend = backend
        self._maximum = maximum
        self.wire_classes = (
            map_classes(backend.names, classes) if wire_classes is None else dict(wire_classes)
        )
        self._limits = np.full(len(backend.names), np.inf, np.float32)
        for own, wire in self.wire_classes.items():
            is_ball = wire == BALL and ball_confidence is not None
            self._limits[own] = ball_confidence if is_ball else confidence

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Detections]:
        """Detect in one batch; boxes come back in source pixels.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.
            letterbox: How the source lies in them.

        Raises:
            InferenceError: The device or the model failed.
        """
        raw = self._backend.forward(images)
        if is_suppressed(raw, 4 + len(self._backend.names), self._backend):
            rows = select(raw, self._limits, self._maximum)
        else:
            rows = suppress(raw, self._limits, IOU_THRESHOLD, self._maximum)
        return [self._detections(found, letterbox) for found in rows]

    def _detections(self, rows: Rows, letterbox: Letterbox) -> Detections:
        boxes = letterbox.to_source(rows[:, :4].reshape(-1, 2, 2)).reshape(-1, 4)
        classes = np.array([self.wire_classes[int(own)] for own in rows[:, 5]], np.int64)
        # what lies in the grey bars is cut to the picture, and nothing may be left
        visible = (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
        return Detections(boxes[visible], rows[visible, 4].astype(np.float32), classes[visible])
