"""Kind `gsr`, as the pipeline runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.challenges import gsr
from services.challenges.kind import Predictor
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.results import FrameResult
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import Settings
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.homography import PictureSize
from services.tracking.interpolation.fill import FilledClip
from services.video.decode import Clip
from services.video.letterbox import Letterbox
from services.wire.challenge import Challenge


class GsrKind:
    """Boxes, track ids and pitch keypoints for every frame."""

    name = "gsr"

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """See `Kind`."""
        return plan_from_settings(clip, settings, self.name)

    def predictor(self, loaded: LoadedPredictor) -> Predictor[FrameResult]:
        """Detector and pitch model, or a plug-in that gives what they give."""
        return loaded

    def assemble(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[FrameResult] | None = None,
    ) -> GsrAssembly:
        """See `Kind`."""
        return GsrAssembly(challenge, clip, plan, settings, predictor)


class GsrAssembly:
    """A `gsr` answer being put together."""

    def __init__(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[FrameResult] | None = None,
    ) -> None:
        self._second_ball_pass = second_ball_pass(predictor, PictureSize(clip.width, clip.height))
        self._challenge = challenge
        self._clip = clip
        self._tracks = gsr.tracks(clip, plan, settings)
        self._filled: FilledClip

    def add(self, results: Sequence[FrameResult]) -> None:
        """See `Assembly`."""
        for result in results:  # cameras and tracks go on while later sampled frames are inferred
            self._tracks.add(self._second_ball_pass(result))

    def fill(self) -> Mapping[str, Any]:
        """See `Assembly`."""
        self._filled = self._tracks.fill(self._clip.stats.count)
        return {"tracks": self._filled.tracks, "cameras": self._filled.fitted}

    def encode(self, seconds: float) -> bytes:
        """See `Assembly`."""
        return gsr.encode(self._challenge.challenge_id, self._filled, seconds)
