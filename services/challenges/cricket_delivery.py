"""Challenge kind `cricket_delivery`: one delivery in numbers; its predictor has to be plugged in."""

from __future__ import annotations

from typing import Any

from services.challenges.clip_answers import ClipAssembly, clip_predictor
from services.challenges.kind import Predictor
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import Settings
from services.video.clip import Clip
from services.video.letterbox import Letterbox
from services.wire.challenge import Challenge
from services.wire.private_track import CricketDelivery, CricketPrediction, check_delivery


class CricketDeliveryKind:
    """The delivery of a clip, from a `ClipPredictor` that concludes a `CricketDelivery`."""

    name = "cricket_delivery"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """See `Kind`."""
        return plan_from_settings(clip, settings, self.name, uses_ball=False)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[tuple[int, Any]]:
        """The plugged-in predictor."""
        return clip_predictor(self.name, loaded)

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[tuple[int, Any]],
    ) -> ClipAssembly:
        """See `Kind`."""
        return ClipAssembly(challenge, clip, plan, predictor, _accept)


def _accept(concluded: Any) -> CricketPrediction:
    if not isinstance(concluded, CricketDelivery):
        raise TypeError(f"{concluded!r} is not a services.wire.private_track.CricketDelivery")
    check_delivery(concluded)
    return CricketPrediction(concluded)
