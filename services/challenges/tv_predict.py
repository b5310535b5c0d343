"""Kind `tv_predict`: boxes and keypoints of every frame, in the format of the open-source track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.challenges.confidence import confidences
from services.challenges.gsr import tracks
from services.challenges.kind import Predictor
from services.frame_plan import FramePlan
from services.inference.predictors import LoadedPredictor
from services.pitch import KEYPOINT_COUNT
from services.results import FrameResult
from services.sampling.plan_from_settings import plan_from_settings
from services.settings import Settings
from services.tracking.ball.second_pass import second_ball_pass
from services.tracking.camera.homography import PictureSize
from services.tracking.clip import fill_clip
from services.tracking.interpolation.fill import FilledClip
from services.video.clip import Clip
from services.video.letterbox import Letterbox
from services.wire.challenge import Challenge
from services.wire.tv_predict import TvBox, TvFrame, encode_frames

DECIMALS = 4
"""Confidences are rounded to this many."""


class TvPredictKind:
    """What `gsr` answers, with confidences instead of track ids, in whole pixels."""

    name = "tv_predict"

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
        predictor: Predictor[FrameResult],
    ) -> TvAssembly:
        """See `Kind`."""
        return TvAssembly(challenge, clip, plan, settings, predictor)


class TvAssembly:
    """A `tv_predict` answer being put together.

    A video, and pictures that are numbered one after the other, are tracked and filled; other pictures have
    nothing to do with each other, so that each is answered by itself.
    """

    def __init__(
        self,
        challenge: Challenge,
        clip: Clip,
        plan: FramePlan,
        settings: Settings,
        predictor: Predictor[FrameResult],
    ) -> None:
        self._second_ball_pass = second_ball_pass(predictor, PictureSize(clip.width, clip.height))
        self._clip = clip
        self._plan = plan
        self._settings = settings
        self._size = PictureSize(clip.width, clip.height)
        self._numbers = [frame.frame_id for frame in challenge.pictures]
        self._results: list[FrameResult] = []
        self._tracks = tracks(clip, plan, settings)
        self._frames: list[TvFrame] = []

    def add(self, results: Sequence[FrameResult]) -> None:
        """See `Assembly`."""
        for result in map(self._second_ball_pass, results):
            self._results.append(result)
            self._tracks.add(result)

    def fill(self) -> Mapping[str, Any]:
        """See `Assembly`."""
        numbers = self._numbers
        if len(numbers) == 1 or any(
            after - before != 1 for before, after in zip(numbers, numbers[1:], strict=False)
        ):
            self._alone()
            return {}
        filled = self._tracks.fill(self._clip.stats.count)
        scores = confidences(filled, self._results, self._settings.conf_threshold)
        self._frames = _frames(filled, scores, numbers or range(len(filled.keypoints)))
        return {"tracks": filled.tracks, "cameras": filled.fitted}

    def encode(self, seconds: float) -> bytes:
        """See `Assembly`."""
        return encode_frames(self._frames)

    def _alone(self) -> None:
        known = {result.index: result for result in self._results}
        for position, number in enumerate(self._numbers):
            if position not in known:  # a damaged picture shows nothing
                self._frames.append(TvFrame(number, [], [(0, 0)] * KEYPOINT_COUNT))
                continue
            alone = [replace(known[position], index=0)]
            filled = fill_clip(alone, 1, self._size, stride=self._plan.stride, tracking=False)
            scores = confidences(filled, alone, self._settings.conf_threshold)
            self._frames += _frames(filled, scores, [number])


def _frames(filled: FilledClip, scores: npt.NDArray[np.float64], numbers: Sequence[int]) -> list[TvFrame]:
    keypoints = np.round(filled.keypoints).astype(np.int64).tolist()
    boxes = np.round(filled.boxes).astype(np.int64).tolist()
    sure = np.round(scores, DECIMALS).tolist()
    rows = [
        TvBox(x1, y1, x2, y2, class_id, conf)
        for (x1, y1, x2, y2), class_id, conf in zip(boxes, filled.classes.tolist(), sure, strict=True)
    ]
    starts = np.searchsorted(filled.frame, np.arange(len(keypoints) + 1)).tolist()
    return [
        TvFrame(number, rows[starts[i] : starts[i + 1]], [(x, y) for x, y in keypoints[i]])
        for i, number in enumerate(numbers)
    ]
