"""Challenge kind `soccer_action`: the actions that a clip shows, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.challenges.clip_answers import ClipAssembly, ClipFacts, NumberedPredictor, clip_predictor
from services.challenges.kind import Predictor
from services.challenges.pitch_positions import pitch_positions
from services.challenges.shirts import shirts_of
from services.challenges.soccer_rules import actions
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.results import FrameResult
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import Settings
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.homography import PictureSize
from services.video.clip import Clip
from services.video.letterbox import Frame, Letterbox
from services.wire.challenge import Challenge
from services.wire.private_track import Action, SoccerPrediction, check_action


class SoccerActionKind:
    """Actions of a clip, from a `ClipPredictor` that concludes a sequence of `Action`, or by rule.

    The rules work with every predictor that `gsr` works with, such as the bundled one.
    """

    name = "soccer_action"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """See `Kind`."""
        return plan_from_settings(clip, settings, self.name)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[tuple[int, Any]]:
        """The plugged-in predictor if it has `conclude`, otherwise the rules on top of it."""
        if callable(getattr(loaded, "conclude", None)):
            return clip_predictor(self.name, loaded)
        return NumberedPredictor(RulePredictor(loaded))

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[tuple[int, Any]],
    ) -> ClipAssembly:
        """See `Kind`."""
        inner = predictor.inner if isinstance(predictor, NumberedPredictor) else None
        return ClipAssembly(
            challenge,
            clip,
            plan,
            predictor,
            _accept,
            second_ball_pass(inner, PictureSize(clip.width, clip.height)),
        )


class RulePredictor:
    """Rules on top of a predictor of boxes and keypoints.

    Args:
        inner: Returns a `FrameResult` for each frame.

    Attributes:
        ball_network: That of the inner predictor, for the second ball pass; None where it has none.
    """

    def __init__(self, inner: Predictor[FrameResult]) -> None:
        self._inner = inner
        self.ball_network: object = getattr(inner, "ball_network", None)

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> Sequence[FrameResult]:
        """Boxes, keypoints and what players wear."""
        results = self._inner.predict(frames, letterbox)
        return [
            replace(result, shirts=shirts_of(result.detections, frame.image, letterbox))
            for frame, result in zip(frames, results, strict=True)
        ]

    def conclude(self, seen: Sequence[tuple[int, FrameResult]], clip: ClipFacts) -> list[Action]:
        """What `services.challenges.soccer_rules` makes of the whole clip."""
        play = pitch_positions(seen, PictureSize(clip.width, clip.height), clip.frames, clip.stride)
        return actions(play, clip.fps)


def _accept(concluded: Any) -> SoccerPrediction:
    actions = list(concluded)
    for action in actions:
        if not isinstance(action, Action):
            raise TypeError(f"{action!r} is not a services.wire.private_track.Action")
        check_action(action)
    return SoccerPrediction(sorted(actions, key=lambda action: (action.frame, action.action)))
