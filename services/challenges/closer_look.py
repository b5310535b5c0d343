"""The closer look at the ball, for the kinds that answer with boxes in every frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.results import FrameResult
from services.tracking.ball.search import BallSearch
from services.video.clip import Clip


def closer_look(predictor: Any, clip: Clip) -> Callable[[FrameResult], FrameResult]:
    """What samples go through, in order; without a ball network they stay as they are."""
    finder = getattr(predictor, "ball", None)
    return _as_it_is if finder is None else BallSearch(finder, clip.width).add


def key_frames(clip: Clip) -> list[int]:
    """Frames that stand alone in the file, rising; none where there is no index."""
    return [] if clip.index is None else sorted(clip.index.display[clip.index.sync].tolist())


def _as_it_is(result: FrameResult) -> FrameResult:
    return result
