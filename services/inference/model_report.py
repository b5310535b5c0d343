"""What a model is and what it would do here: for `touchline models`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.errors import ModelNotReady
from services.files import sha256_of
from services.inference.backend import choose_device
from services.inference.ball_model import ball_detector
from services.inference.class_map import WIRE_NAMES, only_balls
from services.inference.detector import Detector
from services.inference.pitch_model import COUNT, PitchModel
from services.inference.registry import bundled_models, resolve_model, wanted_models
from services.inference.runtimes import Choice, choose_runtime, load_backend
from services.inference.synthetic_pictures import patterned
from services.settings import Settings
from services.video.letterbox import Letterbox

TRIED = 2
"""Pictures of the batch that a check runs."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model.

    Attributes:
        name: As the settings or the command name it.
        use: DETECTOR_MODEL, BALL_MODEL, PITCH_MODEL, or empty for a bundled one that is not in use.
        kind: `detector`, `ball` or `pitch`.
        classes: The wire's class and the model's own names for it; or the keypoints.
        runtime: What runs it.
        reason: Why that.
        file: Where it is.
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
    return [*used.items(), *(("", name) for name in bundled_models() if name not in used.values())]


def fetch(name: str, settings: Settings, variable: str = "model") -> Choice:
    """Have a model ready for a worker: downloaded, and exported where it will be.

    Raises:
        ModelNotReady: It cannot be had.
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
        What it is, and what came out.

    Raises:
        ModelNotReady: It cannot be used; the text says why.
        InferenceError: It failed.
    """
    facts, model = _load(name, "", fetch(name, settings), settings)
    box = Letterbox.fit(1280, 720, settings.img_size)
    pictures = patterned(TRIED, box.input_height, box.input_width)
    if isinstance(model, PitchModel):
        points = model.predict(pictures, box)
        numbers = [one.points for one in points]
        result = f"{sum(int((one.scores > 0).sum()) for one in points)} keypoints"
    else:
        boxes = model.predict(pictures, box)
        numbers = [one.boxes for one in boxes]
        result = f"{sum(len(one.boxes) for one in boxes)} boxes"
    if not all(np.isfinite(found).all() for found in numbers):
        raise ModelNotReady(f"{name}: what the model finds are no numbers")
    return facts, result


def _load(
    name: str, use: str, choice: Choice, settings: Settings
) -> tuple[ModelFacts, Detector | PitchModel]:
    backend = load_backend(choice, settings, 1, os.cpu_count() or 1)
    keypoints = backend.keypoint_shape is not None or "kp01" in backend.names.values()
    model: Detector | PitchModel
    if use == "PITCH_MODEL" or (not use and keypoints):
        model = PitchModel(backend, settings.pitch_conf_threshold)
        kind, classes = "pitch", f"{COUNT} keypoints"
    elif use == "BALL_MODEL" or (not use and only_balls(backend.names)):
        model = ball_detector(backend, settings.conf_threshold, settings.max_detections)
        kind, classes = "ball", _class_text(backend.names, model.wire_classes)
    else:
        model = Detector(backend, settings.conf_threshold, settings.max_detections, settings.class_map)
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
