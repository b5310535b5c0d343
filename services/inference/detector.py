"""Boxes of the ball, goalkeepers, players and referees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.errors import ModelNotReady
from services.inference.backend import AnyBackend, mapped_errors
from services.inference.class_map import BALL, listed, map_classes
from services.inference.suppression import Rows, suppress
from services.results import Detections
from services.video.letterbox import Image, Letterbox

if TYPE_CHECKING:
    import torch

IOU_THRESHOLD = 0.6
NMS_TIME_S = 60.0
"""Ultralytics cuts suppression off after 50 ms a picture, which would make answers depend on the load."""


LISTED = 6
"""Values of a box in an output with built-in suppression: x1, y1, x2, y2, score, class."""


def check_output(shape: Sequence[int], values: int, end2end: bool) -> None:
    """Check that an output is one that is understood here, as YOLO heads give it.

    Args:
        shape: Of the raw output, pictures first.
        values: Values of each anchor: box, classes, keypoints.
        end2end: Whether suppression is built in.

    Raises:
        ModelNotReady: It is another kind of network's.
    """
    listed_here = end2end or shape[-1] == LISTED
    if len(shape) != 3 or not (listed_here or shape[1] == values):
        raise ModelNotReady(
            f"the model's output has the shape {tuple(shape)}; (pictures, {values}, anchors) is expected, as "
            "YOLO models give it (RT-DETR and other networks are not understood)"
        )


class Detector:
    """A detection model with its thresholds.

    Args:
        backend: The loaded model.
        confidence: Minimum confidence of a box.
        maximum: Maximum number of boxes kept per frame.
        classes: What the model's classes are where their names do not say it, as in CLASS_MAP.
        wire_classes: The wire's class of each of the model's own ids that has one, instead of by name.
        ball_confidence: Minimum confidence of a ball, where it is another one.

    Attributes:
        wire_classes: The wire's class of each of the model's own ids that has one.

    Raises:
        ModelNotReady: The model finds no boxes, or none of its classes is a player.
    """

    def __init__(
        self,
        backend: AnyBackend,
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
        self._most = maximum
        self.wire_classes = (
            map_classes(backend.names, classes) if wire_classes is None else dict(wire_classes)
        )
        self._classes = np.array(sorted(self.wire_classes), np.int64)
        self._confidence = np.full(len(backend.names), confidence, np.float32)
        if ball_confidence is not None:
            balls = [own for own, wire in self.wire_classes.items() if wire == BALL]
            self._confidence[balls] = ball_confidence

    def predict(self, images: list[Image], box: Letterbox) -> list[Detections]:
        """Detect in one batch; boxes come back in source pixels.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.
            box: How the source lies in them.

        Raises:
            InferenceError: The device or the model failed.
        """
        with mapped_errors():
            raw = self._backend.forward(images)
            check_output(raw.shape, 4 + len(self._backend.names), self._backend.end2end)
            if isinstance(raw, np.ndarray) and not (self._backend.end2end or raw.shape[-1] == LISTED):
                rows = suppress(
                    raw,
                    classes=self._classes,
                    confidence=self._confidence,
                    iou=IOU_THRESHOLD,
                    maximum=self._most,
                )
            else:
                rows = self._suppress_on_device(raw)
        return [self._detections(found, box) for found in rows]

    def _suppress_on_device(self, raw: torch.Tensor | Rows) -> list[Rows]:
        import torch
        from ultralytics.utils.nms import non_max_suppression

        kept = non_max_suppression(
            torch.as_tensor(raw),
            conf_thres=float(self._confidence.min()),
            iou_thres=IOU_THRESHOLD,
            classes=self._classes.tolist(),
            agnostic=True,
            max_det=self._most,
            max_time_img=NMS_TIME_S,
            nc=len(self._backend.names),
            end2end=self._backend.end2end,
        )
        rows = [found.float().cpu().numpy() for found in kept]
        return [found[found[:, 4] > self._confidence[found[:, 5].astype(np.int64)]] for found in rows]

    def _detections(self, rows: Rows, box: Letterbox) -> Detections:
        boxes = box.to_source(rows[:, :4].reshape(-1, 2, 2)).reshape(-1, 4)
        classes = np.array([self.wire_classes[int(own)] for own in rows[:, 5]], np.int64)
        real = (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
        return Detections(boxes[real], rows[real, 4].astype(np.float32), classes[real])
