"""A challenge kind: the brightness of every frame that is looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.challenges.kind import Predictor
from services.errors import BrokenPlugin
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.settings import Settings
from services.video.clip import Clip
from services.video.letterbox import Letterbox
from services.wire.challenge import Challenge


class BrightnessKind:
    """Made once in every worker process; its name is the name of its entry point."""

    name = "brightness"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """Which frames are looked at, and at what size."""
        plan = FramePlan(settings.frame_stride, clip.count)
        return plan, Letterbox.fit(clip.width, clip.height, settings.img_size)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[float]:
        """What looks at them: the predictor that PREDICTOR names for this kind."""
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
    """One answer being put together, in one thread."""

    def __init__(self, challenge_id: str) -> None:
        self._challenge_id = challenge_id
        self._values: list[float] = []

    def add(self, results: Sequence[float]) -> None:
        """Take the next frames' results, by rising frame number, while later frames are being looked at."""
        self._values += results

    def fill(self) -> Mapping[str, Any]:
        """All results are there. What is given back stands in the challenge's timeline."""
        return {"brightest": max(self._values)}

    def encode(self, seconds: float) -> bytes:
        """The bytes for the validator."""
        answer = {
            "challenge_id": self._challenge_id,
            "brightness": self._values,
            "seconds": round(seconds, 3),
        }
        return json.dumps(answer).encode()
