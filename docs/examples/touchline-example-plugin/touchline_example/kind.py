"""A challenge kind: the brightness of every sampled frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.plugin import (
    BrokenPlugin,
    Challenge,
    Clip,
    FramePlan,
    Letterbox,
    LoadedPredictor,
    Predictor,
    Settings,
)


class BrightnessKind:
    """Made once in every worker process; its name is the name of its entry point."""

    name = "brightness"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """Choose the sampled frames and the size of the models' input."""
        plan = FramePlan(settings.frame_stride, clip.count)
        return plan, Letterbox.fit(clip.width, clip.height, settings.img_size)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[float]:
        """The predictor of this kind, from the one that the setting PREDICTOR names."""
        if loaded.device.startswith("mps"):
            raise BrokenPlugin("kind 'brightness' has not been tried with Metal")
        return loaded

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[float],
    ) -> BrightnessAnswer:
        """Begin an answer."""
        return BrightnessAnswer(challenge.challenge_id)


class BrightnessAnswer:
    """One answer being put together; only one thread uses it."""

    def __init__(self, challenge_id: str) -> None:
        self._challenge_id = challenge_id
        self._values: list[float] = []

    def add(self, results: Sequence[float]) -> None:
        """Take the next frames' results, by rising frame number, while later frames are inferred."""
        self._values += results

    def fill(self) -> Mapping[str, Any]:
        """Called when all results are there; what it returns becomes part of the challenge's timeline."""
        return {"brightest": max(self._values)}

    def encode(self, seconds: float) -> bytes:
        """The bytes for the validator."""
        answer = {
            "challenge_id": self._challenge_id,
            "brightness": self._values,
            "seconds": round(seconds, 3),
        }
        return json.dumps(answer).encode()
