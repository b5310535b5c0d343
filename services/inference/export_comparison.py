"""Whether an export finds what the model finds that it was made from."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.errors import ChallengeError, ModelNotReady
from services.inference.backend import Backend, RawOutput
from services.inference.synthetic_pictures import synthetic_pictures

PICTURE_SIZE: Final = (256, 448)
"""Height and width of the compared pictures, in pixels: not those of the export's tracing."""
BEST_BOXES: Final = 50
"""Boxes of each picture that are compared; worse ones are nowhere answered."""
PIXEL_SHARE: Final = 0.01
"""Boxes and keypoints may differ by this share of the picture's longer side: OpenVINO rounds to 16 bits where
the processor has arithmetic for that."""
SCORE_TOLERANCE: Final = 0.05
"""Scores may differ by this, for the same reason."""


def compare(original: Backend, export: Backend) -> None:
    """Have two models look at the same pictures.

    Raises:
        ModelNotReady: They do not find the same, or one fails.
    """
    pictures = synthetic_pictures(2, *PICTURE_SIZE)
    try:
        expected, found = original.forward(pictures), export.forward(pictures)
    except ChallengeError as error:
        raise ModelNotReady(f"the export fails: {error.message}") from error
    if expected.shape != found.shape:
        raise ModelNotReady(f"the export gives {found.shape}, the model {expected.shape}")
    worst = max(
        disagreement(one, other, len(original.names), original.end2end)
        for one, other in zip(expected, found, strict=True)
    )
    # not "worst > 1", which would be false for what is not a number
    if not worst <= 1:
        raise ModelNotReady(
            f"the export finds something else than the model (differences up to {worst:.1f} times of what is "
            "allowed); RUNTIME=torch runs the model itself"
        )


def disagreement(one: RawOutput, other: RawOutput, classes: int, end2end: bool) -> float:
    """How far the best boxes of one output are from those of another, as a multiple of what is allowed.

    Args:
        one: Raw output for one picture of `PICTURE_SIZE`: (4 + classes + keypoint values, anchors), or
            (boxes, 6 + keypoint values) with built-in suppression.
        other: The same of the other model.
        classes: The number of classes that both have.
        end2end: Whether suppression is built in: the order of boxes is then arbitrary, the nearest counts.
    """
    rows, others = (one, other) if end2end else (one.T, other.T)
    allowed = np.full(rows.shape[1], PIXEL_SHARE * max(PICTURE_SIZE), np.float32)
    if end2end:
        allowed[4:6] = SCORE_TOLERANCE, 0.5
        scores = rows[:, 4]
    else:
        allowed[4 : 4 + classes] = SCORE_TOLERANCE
        scores = rows[:, 4 : 4 + classes].max(axis=1)
    best = np.argsort(-scores, kind="stable")[:BEST_BOXES]
    if end2end:
        distances = np.abs(rows[best, None] - others[None]) / allowed
        return float(distances.max(axis=2).min(axis=1).max())
    return float((np.abs(rows[best] - others[best]) / allowed).max())
