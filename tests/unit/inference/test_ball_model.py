"""Balls from a model of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from services.errors import ModelNotReady
from services.inference.ball_model import SeparateBallDetector, ball_detector
from services.inference.bundled_models import WEIGHTS
from services.inference.class_map import map_ball, only_balls
from services.inference.detector import Detector
from services.inference.models import load_models
from services.inference.synthetic_pictures import synthetic_pictures
from services.inference.torch_backend import TorchBackend
from services.results import Detections
from services.settings import load_settings
from services.video.letterbox import Image, Letterbox

BOX = Letterbox.fit(1280, 720, 384)


class Finds:
    def __init__(self, *rows: tuple[float, float, int]) -> None:
        boxes = np.array([[x, 0, x + 10, 10] for x, _, _ in rows], np.float32).reshape(-1, 4)
        scores = np.array([score for _, score, _ in rows], np.float32)
        self._found = Detections(boxes, scores, np.array([own for _, _, own in rows], np.int64))

    def predict(self, images: list[Image], letterbox: Letterbox) -> list[Detections]:
        return [self._found for _ in images]


def test_its_balls_replace_the_detectors() -> None:
    people = Finds((100, 0.9, 2), (200, 0.8, 0), (300, 0.5, 1))
    both = SeparateBallDetector(people, Finds((400, 0.7, 0), (500, 0.4, 0)))
    (found,) = both.predict(synthetic_pictures(1, 224, 384), BOX)
    assert found.boxes[:, 0].tolist() == [100, 400, 300, 500]
    assert found.classes.tolist() == [2, 0, 1, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.4])


def test_without_a_ball_there_is_none() -> None:
    (found,) = SeparateBallDetector(Finds((100, 0.9, 0)), Finds()).predict(
        synthetic_pictures(1, 224, 384), BOX
    )
    assert (found.boxes.shape, found.classes.tolist()) == ((0, 4), [])


def test_which_classes_are_balls() -> None:
    assert map_ball({0: "anything"}) == {0: 0}
    assert map_ball({0: "person", 32: "Sports_Ball"}) == {32: 0}
    assert only_balls({0: "ball", 1: "football"})
    assert not only_balls({0: "ball", 1: "player"})
    with pytest.raises(ModelNotReady, match="BALL_MODEL.*'a', 'b'"):
        map_ball({0: "a", 1: "b"})


def test_a_detector_of_four_classes_can_be_asked_for_its_balls_alone() -> None:
    backend = TorchBackend(WEIGHTS / "touchline-detect.pt", "cpu", half=False)
    pictures = synthetic_pictures(2, BOX.input_height, BOX.input_width)
    every = Detector(backend, 0.01, 300).predict(pictures, BOX)
    balls = ball_detector(backend, 0.01, 300).predict(pictures, BOX)
    assert sum(len(found.boxes) for found in every) > 0
    for one, other in zip(balls, every, strict=True):
        assert set(one.classes.tolist()) <= {0}
        assert len(one.boxes) >= (other.classes == 0).sum()


def test_it_is_a_setting(tmp_path: Path) -> None:
    for suffix in (".pt", ".int8.xml", ".int8.bin"):
        shutil.copyfile((WEIGHTS / "touchline-detect").with_suffix(suffix), tmp_path / f"ball{suffix}")
    models = load_models(load_settings(device="cpu", ball_model=str(tmp_path / "ball.pt"), skip_pitch=True))
    assert isinstance(models.detector, SeparateBallDetector)
    assert models.slots >= 1
    with pytest.raises(ModelNotReady, match="BALL_MODEL='/no/ball.pt'"):
        load_models(load_settings(device="cpu", ball_model="/no/ball.pt"))
