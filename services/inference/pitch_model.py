"""The 32 keypoints of the pitch, from either of two kinds of model."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.errors import ModelNotReady
from services.inference.backend import Backend, RawOutput
from services.inference.class_map import listed
from services.inference.detector import BOX_VALUES, is_suppressed
from services.pitch import KEYPOINT_COUNT
from services.results import Keypoints
from services.video.letterbox import Image, Letterbox

Points = npt.NDArray[np.float32]
"""(32, 3) of one picture: x and y in model input pixels, score."""

MIN_INSTANCE_SCORE: Final = 0.1
"""A pose model's instance below this is no pitch."""
KEYPOINT_NAMES: Final = [f"kp{number:02d}" for number in range(1, KEYPOINT_COUNT + 1)]
"""Classes of a detector that finds keypoints."""


class PitchModel:
    """A pitch model with its threshold.

    Two kinds are understood: a pose model with 32 keypoints, whose best instance is taken, and a detector
    with the classes kp01 to kp32, whose best box of each class is taken and its centre used. The second kind
    learns each keypoint where it is, instead of from one box around all of them.

    Args:
        backend: The loaded model.
        confidence: Minimum confidence of a keypoint; those below come back with score 0.
        largest: Longer side, pixels, to which larger pictures are reduced; None infers them as they are.

    Raises:
        ModelNotReady: The model is neither.
    """

    def __init__(self, backend: Backend, confidence: float, largest: int | None = None) -> None:
        self._backend = backend
        self._largest = largest
        self._confidence = confidence
        self._is_pose = backend.keypoint_shape is not None
        self._values = 4 + len(backend.names)
        if backend.keypoint_shape is not None:
            count, values = backend.keypoint_shape
            if count != KEYPOINT_COUNT or values not in (2, 3):
                raise ModelNotReady(
                    f"the pitch model has {count} keypoints of {values} values each, "
                    f"{KEYPOINT_COUNT} of 2 or 3 are needed"
                )
            self._values += count * values
        elif backend.task in (None, "detect") and sorted(backend.names.values()) == KEYPOINT_NAMES:
            self._order = np.argsort(
                [backend.names[own] for own in range(len(KEYPOINT_NAMES))], kind="stable"
            )
        else:
            raise ModelNotReady(
                f"the pitch model is neither a pose model with {KEYPOINT_COUNT} keypoints "
                f"nor a detector with the classes {KEYPOINT_NAMES[0]} to {KEYPOINT_NAMES[-1]}: it is one for "
                f"{backend.task or 'an unknown task'} with the classes {listed(backend.names)}"
            )

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Keypoints]:
        """Find the keypoints in one batch; they come back in source pixels.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.
            letterbox: How the source lies in them.

        Raises:
            InferenceError: The device or the model failed.
        """
        if self._largest is not None and max(letterbox.width, letterbox.height) > self._largest:
            letterbox, larger = letterbox.reduced(self._largest), letterbox
            images = [letterbox.from_larger(image, larger) for image in images]
        raw = self._backend.forward(images)
        suppressed = is_suppressed(raw, self._values, self._backend)
        return [self._keypoints(self._points(found, suppressed), letterbox) for found in raw]

    def _points(self, found: RawOutput, suppressed: bool) -> Points:
        if self._is_pose:
            return self._of_best_instance(found.T if not suppressed else found, suppressed)
        points = _of_best_boxes(found) if suppressed else _of_best_anchors(found)
        return points[self._order]

    def _of_best_instance(self, instances: RawOutput, suppressed: bool) -> Points:
        """From a pose model's output for one picture, one instance in each row."""
        points = np.zeros((KEYPOINT_COUNT, 3), np.float32)
        first = BOX_VALUES if suppressed else 4 + len(self._backend.names)
        scores = instances[:, 4] if suppressed else instances[:, 4:first].max(axis=1)
        best = int(scores.argmax())
        if scores[best] > MIN_INSTANCE_SCORE:
            own = instances[best, first:].reshape(KEYPOINT_COUNT, -1)
            points[:, :2] = own[:, :2]
            points[:, 2] = own[:, 2] if own.shape[1] == 3 else scores[best]
        return points

    def _keypoints(self, points: Points, letterbox: Letterbox) -> Keypoints:
        scores = np.where(points[:, 2] >= self._confidence, points[:, 2], 0).astype(np.float32)
        return Keypoints(letterbox.to_source(points[:, :2]), scores)


def _of_best_anchors(found: RawOutput) -> Points:
    """From (4 + 32, anchors): the centre of the anchor that scores highest in each class."""
    scores = found[4:]
    best = scores.argmax(axis=1)
    return np.stack([found[0, best], found[1, best], scores[np.arange(len(best)), best]], axis=1)


def _of_best_boxes(found: RawOutput) -> Points:
    """From rows of x1, y1, x2, y2, score, class: the centre of the best box of each class."""
    points = np.zeros((KEYPOINT_COUNT, 3), np.float32)
    for x1, y1, x2, y2, score, own in found:
        if score > points[int(own), 2]:
            points[int(own)] = (x1 + x2) / 2, (y1 + y2) / 2, score
    return points
