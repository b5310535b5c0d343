"""A tiny clip and models that know the truth, for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from services.contracts.results import Detections, FrameResult, Keypoints
from services.demo.clip import GroundTruth
from services.demo.looks import Look
from services.demo.scene_clip import SceneTruth, render_scene
from services.inference.models import Models
from services.settings import Settings
from services.video.picture import Frame, Letterbox

LOOK = Look("tiny", (3000,), seconds=0.6, size=(640, 352))


def settings(stride: int = 1) -> Settings:
    return Settings(_env_file=None, frame_stride=stride, decode_threads=1, batch_size=4)  # type: ignore[call-arg]


def tiny(folder: Path) -> tuple[bytes, SceneTruth]:
    path = folder / "tiny.mp4"
    truth = render_scene(path, LOOK)
    return path.read_bytes(), truth


def true_result(truth: GroundTruth, index: int) -> FrameResult:
    frame = truth.frames[index]
    table = np.array(frame.boxes, np.float32).reshape(-1, 5)
    found = Detections(table[:, 1:], np.full(len(table), 0.9, np.float32), table[:, 0].astype(np.int64))
    points = np.array(frame.keypoints, np.float32)
    return FrameResult(index, found, Keypoints(points, (points != 0).any(axis=1).astype(np.float32)))


class Knowing(Models):
    """Models that say what is true."""

    def __init__(self, truth: GroundTruth) -> None:
        self.truth = truth
        self.seen: list[int] = []
        self.lanes = 1

    def predict(self, frames: list[Frame], box: Letterbox) -> list[FrameResult]:  # type: ignore[override]
        self.seen += [frame.index for frame in frames]
        return [true_result(self.truth, frame.index) for frame in frames]
