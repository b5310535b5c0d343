"""Everything that a plug-in may import from this project; all other modules are private and may change.

A plug-in is a distribution with an entry point in the group `touchline.challenges` (a challenge kind, see
`Kind`) or `touchline.predictors` (a predictor, see `Predictor` and `ClipPredictor`). The guide is
docs/guides/challenge-kinds.md.
"""

from __future__ import annotations

from services.challenges.clip_answers import ClipFacts, ClipPredictor
from services.challenges.kind import Assembly, Kind, Predictor
from services.errors import (
    BrokenPlugin,
    ChallengeError,
    DeviceLost,
    InferenceError,
    ModelNotReady,
    OutOfDeviceMemory,
)
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.results import Detections, FrameResult, Keypoints
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import Settings
from services.video.clip import Clip
from services.video.letterbox import Frame, Letterbox
from services.wire.challenge import Challenge, ChallengeFrame
from services.wire.private_track import Action, CricketDelivery

__all__ = [
    "Action",
    "Assembly",
    "BrokenPlugin",
    "Challenge",
    "ChallengeError",
    "ChallengeFrame",
    "Clip",
    "ClipFacts",
    "ClipPredictor",
    "CricketDelivery",
    "Detections",
    "DeviceLost",
    "Frame",
    "FramePlan",
    "FrameResult",
    "InferenceError",
    "Keypoints",
    "Kind",
    "Letterbox",
    "LoadedPredictor",
    "ModelNotReady",
    "OutOfDeviceMemory",
    "Predictor",
    "Settings",
    "plan_from_settings",
]
