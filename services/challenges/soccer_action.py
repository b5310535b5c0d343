"""Kind `soccer_action`: what happens in a clip, and when."""

from __future__ import annotations

from typing import Any

from services.challenges.concluding import ConcludedAssembly, concluding, plan_of
from services.challenges.kind import Predictor
from services.contracts.challenge import Challenge
from services.contracts.private_track import Action, SoccerPrediction, check_action
from services.inference.plugged import LoadedPredictor
from services.settings import Settings
from services.video.clip import Clip
from services.video.picture import Letterbox
from services.video.plan import FramePlan


class SoccerActionKind:
    """Actions of a clip, from a `ClipPredictor` that concludes a sequence of `Action`."""

    name = "soccer_action"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """See `Kind`."""
        return plan_of(clip, settings)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[tuple[int, Any]]:
        """What is plugged in."""
        return concluding(self.name, loaded)

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[tuple[int, Any]],
    ) -> ConcludedAssembly:
        """See `Kind`."""
        return ConcludedAssembly(challenge, clip, plan, predictor, _accept)


def _accept(said: Any) -> SoccerPrediction:
    actions = list(said)
    for action in actions:
        if not isinstance(action, Action):
            raise TypeError(f"{action!r} is not a services.contracts.private_track.Action")
        check_action(action)
    return SoccerPrediction(sorted(actions, key=lambda action: (action.frame, action.action)))
