"""A predictor that needs no model: how bright a frame is."""

from __future__ import annotations

from collections.abc import Sequence

from services.challenges.clip_answers import ClipFacts
from services.settings import Settings
from services.video.letterbox import Frame, Letterbox
from services.wire.private_track import Action


class Brightness:
    """Made once in every worker process, before it takes challenges.

    Args:
        settings: All settings of the process.
        device: The torch device that DEVICE comes to, for instance `cpu` or `cuda:0`.
    """

    slots = 2  # batches that may be given to predict() at the same time; 1 when it is left out

    def __init__(self, settings: Settings, device: str) -> None:
        self.device = device

    def predict(self, frames: Sequence[Frame], box: Letterbox) -> list[float]:
        """One result for each frame: its mean grey, 0 to 255, without the grey padding around it."""
        inside = (slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
        return [round(float(frame.image[inside].mean()), 1) for frame in frames]

    def conclude(self, seen: Sequence[tuple[int, float]], clip: ClipFacts) -> list[Action]:
        """What `soccer_action` answers: a shot where the brightness changes most. A poor spotter."""
        changes = [
            (abs(after - before), frame) for (_, before), (frame, after) in zip(seen, seen[1:], strict=False)
        ]
        return [Action(max(changes)[1], "shot", 0.1)] if changes else []
