"""Makes the quantised OpenVINO files of the bundled models, calibrated on rendered pictures.

    python -m touchline_lab.training.quantize            # both bundled models, in place
    python -m touchline_lab.training.quantize MODEL.pt --out MODEL.int8.xml

It needs `nncf` (Apache-2.0; `pip install nncf`), which is no requirement of the project. The result depends
on the weights, the scenes below and the versions of OpenVINO and NNCF.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from services.files import sha256_of
from services.inference.bundled_models import BUNDLED_MODELS
from services.inference.openvino_backend import METADATA
from services.inference.runtimes import QUANTISED
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import TRAINING_SEEDS
from touchline_lab.training.light import change_light
from touchline_lab.training.models import INPUT_SIZE, Float32, letterbox
from touchline_lab.training.varied_scene import VariedScene

SCENES = 40
"""Number of calibration pictures."""
SEEDS = range(TRAINING_SEEDS[-1] - SCENES, TRAINING_SEEDS[-1])
"""Their seeds: the last ones of the training range."""


def calibration_inputs() -> list[Float32]:
    """Render one picture of each scene, every second one varied: shape (1, 3, 224, 384), RGB, 0 to 1."""
    inputs = []
    for seed in SEEDS:
        scene = VariedScene(seed) if seed % 2 else Scene(seed)
        scene.advance(seed % 100)
        if isinstance(scene, VariedScene):
            scene.vary()
        image = scene.render().image
        if seed % 2:
            image = change_light(np.random.default_rng(seed), image)
        picture = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        inputs.append(letterbox(picture).transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))
    return inputs


def kept_in_float(model: Any) -> list[str]:
    """Patterns of the layers that keep floating point: the last ones of the head and all behind them.

    With 8 bits there, boxes lose a tenth of their IoU.
    """
    names = [node.get_friendly_name() for node in model.get_ops()]
    head = next(name for name in names if ".dfl." in name).split(".dfl.")[0]
    at = head.replace(".", r"\.")
    return [at + r"\.cv[23]\.0\.2.*", at + r"/.*", at + r"\.dfl.*"]


def quantise(source: Path, target: Path, inputs: list[Float32]) -> None:
    """Write the quantised OpenVINO file of a model.

    Args:
        source: The `.pt` model.
        target: The `.xml` file to write; weights are written beside it.
        inputs: Calibration inputs.
    """
    import nncf
    import openvino
    from ultralytics import YOLO

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / source.name
        shutil.copy(source, copy)
        width, height = INPUT_SIZE
        exported = YOLO(str(copy)).export(
            format="openvino", imgsz=(height, width), dynamic=True, verbose=False
        )
        model = openvino.Core().read_model(next(Path(exported).glob("*.xml")))
        names: dict[int, str] = YOLO(str(copy)).names
    small = nncf.quantize(
        model,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(patterns=kept_in_float(model)),
    )
    facts: dict[str, Any] = {"names": names, "task": "detect", "source_sha256": sha256_of(source)}
    small.set_rt_info(json.dumps(facts), METADATA)
    openvino.save_model(small, target)


def main() -> None:
    """Quantise one model, or all bundled ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sources = [options.model] if options.model else [model.path for model in BUNDLED_MODELS.values()]
    inputs = calibration_inputs()
    for source in sources:
        target = options.out or source.with_suffix(QUANTISED)
        quantise(source, target, inputs)
        print(target, flush=True)


if __name__ == "__main__":
    main()
