"""A predictor that needs no model: how bright a frame is."""

from __future__ import annotations

from collections.abc import Sequence

from services.plugin import Action, ClipFacts, Frame, Letterbox, Settings


class Brightness:
    """Made once in every worker process, before it takes challenges.

    Args:
        settings: All settings of the process.
        device: The torch device that the setting DEVICE selects, for example `cpu` or `cuda:0`.
    """

    slots = 2  # how many batches predict() may be given at the same time; 1 when it is left out

    def __init__(self, settings: Settings, device: str) -> None:
        self.device = device

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[float]:
        """One result for each frame: its mean grey, 0 to 255, without the grey padding around it."""
        rows = slice(letterbox.top, letterbox.top + letterbox.height)
        columns = slice(letterbox.left, letterbox.left + letterbox.width)
        return [round(float(frame.image[rows, columns].mean()), 1) for frame in frames]

    def conclude(self, seen: Sequence[tuple[int, float]], clip: ClipFacts) -> list[Action]:
        """What `soccer_action` answers: a shot where the brightness changes most. A poor spotter."""
        changes = [
            (abs(after - before), frame) for (_, before), (frame, after) in zip(seen, seen[1:], strict=False)
        ]
        return [Action(max(changes)[1], "shot", 0.1)] if changes else []
