"""What every runtime offers: a loaded model that turns batches of pictures into its raw output."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.video.letterbox import Image

RawOutput = npt.NDArray[np.float32]
"""A model's raw output, batch first.

In YOLO's usual form it is (pictures, values, anchors); the values are the box's centre, width and height in
model input pixels, the class scores and, of a pose model, the keypoints. With built-in suppression it is
(pictures, boxes, values); the values are x1, y1, x2, y2, score, class and, of a pose model, the keypoints.
"""


class Backend(Protocol):
    """A loaded model, in whatever runtime.

    Attributes:
        names: Class names by the model's own ids.
        task: `detect`, `pose`, ... as the model states it; None if it does not.
        keypoint_shape: (keypoints, values of each) of a pose model.
        end2end: Whether non-maximum suppression is built into the model.
    """

    names: dict[int, str]
    task: str | None
    keypoint_shape: tuple[int, int] | None
    end2end: bool

    def forward(self, images: list[Image]) -> RawOutput:
        """Run one batch.

        Args:
            images: Pictures of one size, each (height, width, 3) uint8 RGB.

        Raises:
            InferenceError: The model or the device failed.
        """
