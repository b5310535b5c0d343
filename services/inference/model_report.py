"""What a model is and what it would do on this machine: for `touchline models`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from services.concurrency import core_count
from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.ball_model import ball_detector
from services.inference.bundled_models import BUNDLED_MODELS
from services.inference.class_map import WIRE_NAMES, only_balls
from services.inference.detector import Detector
from services.inference.devices import choose_device
from services.inference.model_files import resolve_model, wanted_models
from services.inference.pitch_model import PitchModel
from services.inference.runtimes import RuntimeChoice, choose_runtime, load_backend
from services.inference.synthetic_pictures import synthetic_pictures
from services.pitch import KEYPOINT_COUNT
from services.settings import Settings
from services.video.letterbox import Letterbox

CHECKED_PICTURES: Final = 2
"""Pictures of the batch that a check runs: more than one, so that a fixed batch size of one is noticed."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model.

    Attributes:
        name: As the settings or the command name it.
        use: DETECTOR_MODEL, BALL_MODEL, PITCH_MODEL, or empty for a bundled one that is not in use.
        kind: `detector`, `ball` or `pitch`.
        classes: The wire's classes, with the model's own names for them; or the keypoints.
        runtime: What runs it.
        reason: Why that runtime.
        file: The model itself, not what was exported from it.
        sha256: Of the file, or of all files of a folder.
    """

    name: str
    use: str
    kind: str
    classes: str
    runtime: str
    reason: str
    file: Path
    sha256: str


def listed_models(settings: Settings) -> list[tuple[str, str]]:
    """(use, name) of the models that the settings name and of all bundled ones."""
    used = wanted_models(settings)
    return [*used.items(), *(("", name) for name in BUNDLED_MODELS if name not in used.values())]


def fetch(name: str, settings: Settings, variable: str = "model") -> RuntimeChoice:
    """Prepare a model for a worker: download it, and export it to the runtime that will run it.

    Raises:
        ModelNotReady: It cannot be downloaded or exported.
    """
    return choose_runtime(resolve_model(name, variable, settings), choose_device(settings.device), settings)


def describe(name: str, use: str, settings: Settings) -> ModelFacts:
    """Look at a model as it is now; nothing is downloaded or exported.

    Raises:
        ModelNotReady: It is not there, or does not fit its use.
    """
    path = resolve_model(name, use or "model", settings, fetch=False)
    choice = choose_runtime(path, choose_device(settings.device), settings, make=False)
    return _load(name, use, choice, settings)[0]


def check(name: str, settings: Settings) -> tuple[ModelFacts, str]:
    """Load a model as a worker would, and have it look at two pictures.

    Returns:
        What it is, and what it found.

    Raises:
        ModelNotReady: It cannot be used; the text says why.
        InferenceError: It failed.
    """
    facts, model = _load(name, "", fetch(name, settings), settings)
    letterbox = Letterbox.fit(1280, 720, settings.img_size)
    pictures = synthetic_pictures(CHECKED_PICTURES, letterbox.input_height, letterbox.input_width)
    if isinstance(model, PitchModel):
        keypoints = model.predict(pictures, letterbox)
        coordinates = [one.points for one in keypoints]
        result = f"{sum(int((one.scores > 0).sum()) for one in keypoints)} keypoints"
    else:
        coordinates = [one.boxes for one in model.predict(pictures, letterbox)]
        result = f"{sum(map(len, coordinates))} boxes"
    if not all(np.isfinite(found).all() for found in coordinates):
        raise ModelNotReady(f"{name}: the model gives coordinates that are not numbers")
    return facts, result


def _load(
    name: str, use: str, choice: RuntimeChoice, settings: Settings
) -> tuple[ModelFacts, Detector | PitchModel]:
    backend = load_backend(choice, settings, slots=1, threads=core_count())
    finds_keypoints = backend.keypoint_shape is not None or "kp01" in backend.names.values()
    limits = settings.conf_threshold, settings.max_detections
    model: Detector | PitchModel
    if use == "PITCH_MODEL" or (not use and finds_keypoints):
        model = PitchModel(backend, settings.pitch_conf_threshold, settings.pitch_img_size)
        kind, classes = "pitch", f"{KEYPOINT_COUNT} keypoints"
    elif use == "BALL_MODEL" or (not use and only_balls(backend.names)):
        model = ball_detector(backend, *limits)
        kind, classes = "ball", _class_text(backend.names, model.wire_classes)
    else:
        model = Detector(backend, *limits, settings.class_map)
        kind, classes = "detector", _class_text(backend.names, model.wire_classes)
    facts = ModelFacts(
        name, use, kind, classes, choice.runtime, choice.reason, choice.path, sha256_of(choice.path)
    )
    return facts, model


def _class_text(names: Mapping[int, str], wire_classes: Mapping[int, int]) -> str:
    found = []
    for wire, wire_name in enumerate(WIRE_NAMES):
        own = sorted({names[key] for key, value in wire_classes.items() if value == wire})
        if own:
            found.append(wire_name if own == [wire_name] else f"{wire_name} ({', '.join(own)})")
    return ", ".join(found)
