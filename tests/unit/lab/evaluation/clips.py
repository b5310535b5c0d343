"""A tiny clip, and a predictor that returns its ground truth, for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.results import FrameResult
from services.settings import Settings
from services.video.letterbox import Frame, Letterbox
from touchline_lab.evaluation.ground_truth_predictor import GroundTruthPredictor
from touchline_lab.renderer.clip import GroundTruth
from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.scene_clip import SceneTruth, render_scene

CONDITIONS = SceneConditions("tiny", (3000,), seconds=0.6, size=(640, 352))


def settings(stride: int = 1) -> Settings:
    return Settings(_env_file=None, frame_stride=stride, decode_threads=1, batch_size=4)  # type: ignore[call-arg]


def tiny(folder: Path) -> tuple[bytes, SceneTruth]:
    path = folder / "tiny.mp4"
    truth = render_scene(path, CONDITIONS)
    return path.read_bytes(), truth


class RecordingPredictor(GroundTruthPredictor):
    """Returns the ground truth and records which frames it was given."""

    def __init__(self, truth: GroundTruth) -> None:
        super().__init__(truth)
        self.inferred: list[int] = []

    def predict(self, frames: Sequence[Frame], letterbox: Letterbox) -> list[FrameResult]:
        self.inferred += [frame.index for frame in frames]
        return super().predict(frames, letterbox)


Knowing = RecordingPredictor
