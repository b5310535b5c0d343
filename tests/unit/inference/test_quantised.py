"""The 8-bit files of the bundled models answer as the networks they were made from, on a rendered frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from services.inference.backend import Backend
from services.inference.bundled_models import WEIGHTS
from services.inference.detector import Detector
from services.inference.pitch_model import PitchModel
from services.inference.runtimes import choose_runtime, load_backend
from services.results import Detections, Keypoints
from services.settings import load_settings
from services.video.letterbox import Image, Letterbox
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import VALIDATION_SEEDS

SIZES = {"": 1024, "-rendered": 384}
"""Input size that the models of each ending are made for."""
SEEDS = VALIDATION_SEEDS[200:203]
RUNTIMES = ("torch", "openvino")


@pytest.fixture(scope="module", params=SIZES, ids=["default", "rendered only"])
def ending(request: pytest.FixtureRequest) -> str:
    """How the names of the two models that belong together end."""
    return str(request.param)


@pytest.fixture(scope="module")
def pictures(ending: str) -> list[Image]:
    box, inputs = box_of(ending), []
    for seed in SEEDS:
        scene = Scene(seed)
        scene.advance(40)
        picture = cv2.cvtColor(scene.render().image, cv2.COLOR_BGR2RGB)
        small = cv2.resize(picture, (box.width, box.height), interpolation=cv2.INTER_AREA)
        inputs.append(box.padded(np.asarray(small, np.uint8)))
    return inputs


def box_of(ending: str) -> Letterbox:
    return Letterbox.fit(1280, 720, SIZES[ending])


def overlaps(boxes: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Intersection over union of every pair."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(axis=1) for corners in (boxes, others)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared), np.float64)


def loaded(name: str, runtime: str) -> Backend:
    settings = load_settings(device="cpu", runtime=runtime)
    return load_backend(choose_runtime(WEIGHTS / f"{name}.pt", "cpu", settings), settings, 1, 1)


def detections(ending: str, runtime: str, pictures: list[Image], confidence: float) -> list[Detections]:
    backend = loaded(f"touchline-detect{ending}", runtime)
    return Detector(backend, confidence, 100).predict(pictures, box_of(ending))


def keypoints(ending: str, runtime: str, pictures: list[Image]) -> list[Keypoints]:
    backend = loaded(f"touchline-pitch{ending}", runtime)
    return PitchModel(backend, 0.35).predict(pictures, box_of(ending))


@pytest.mark.parametrize(("sure", "lax"), [RUNTIMES, RUNTIMES[::-1]])
def test_every_sure_box_has_a_nearest_box_of_its_class_that_overlaps(
    ending: str, pictures: list[Image], sure: str, lax: str
) -> None:
    pairs = zip(detections(ending, sure, pictures, 0.5), detections(ending, lax, pictures, 0.15), strict=True)
    nearest: dict[bool, list[float]] = {True: [], False: []}  # of balls, and of people
    for one, other in pairs:
        assert len(one.boxes) >= 8, "hardly anything was found"
        for box, label in zip(one.boxes, one.classes, strict=True):
            alike = other.boxes[other.classes == label]
            best = overlaps(box[None], alike).max() if len(alike) else 0.0
            nearest[bool(label == 0)].append(float(best))
    people, balls = np.array(nearest[False]), np.array(nearest[True])
    assert (people > 0.5).mean() >= 0.97
    assert np.median(people) > 0.85
    assert (balls > 0.4).all()


def test_keypoints_lie_where_the_network_puts_them(ending: str, pictures: list[Image]) -> None:
    distances = []
    pairs = zip(keypoints(ending, "torch", pictures), keypoints(ending, "openvino", pictures), strict=True)
    for one, other in pairs:
        seen = (one.scores > 0.5) & (other.scores > 0)
        assert seen.sum() >= 0.9 * (one.scores > 0.5).sum() > 0
        distances += np.linalg.norm(one.points[seen] - other.points[seen], axis=1).tolist()
    assert np.median(distances) < 2.0, "pixels of a picture 1280 wide"
    assert np.quantile(distances, 0.9) < 6.0
