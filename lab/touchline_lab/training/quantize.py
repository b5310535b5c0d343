"""Makes the quantised OpenVINO file of a model, calibrated on rendered and real pictures.

    python -m touchline_lab.training.quantize MODEL.pt --size 640x384 --real PLAYERS
    python -m touchline_lab.training.quantize MODEL.pt                # rendered pictures only, 384x224

The file is written beside the model. It needs `nncf` (Apache-2.0; `pip install nncf`), which is no
requirement of the project. The result depends on the weights, the pictures and the versions of OpenVINO and
NNCF.
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
import numpy.typing as npt

from services.files import sha256_of
from services.inference.openvino_backend import METADATA
from services.inference.runtimes import QUANTISED
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import TRAINING_SEEDS
from touchline_lab.training.light import change_light
from touchline_lab.training.models import INPUT_SIZE, Float32, letterbox
from touchline_lab.training.picture_sets import match_of
from touchline_lab.training.train_mixed import TEST_MATCHES, VALIDATION_MATCHES
from touchline_lab.training.varied_scene import VariedScene

SCENES = 40
"""Number of calibration pictures."""
REAL_PICTURES = 60
"""About the number of real calibration pictures."""
SEEDS = range(TRAINING_SEEDS[-1] - SCENES, TRAINING_SEEDS[-1])
"""Their seeds: the last ones of the training range."""


def real_inputs(folder: Path, size: tuple[int, int]) -> list[Float32]:
    """Every few pictures of a set, of the matches that are trained on: whole ones and their middle thirds."""
    without = TEST_MATCHES + VALIDATION_MATCHES
    files = sorted(path for path in (folder / "images").iterdir() if match_of(path.name) not in without)
    inputs = []
    for number, file in enumerate(files[:: max(1, len(files) // REAL_PICTURES)]):
        picture = np.asarray(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), np.uint8)
        height, width = picture.shape[:2]
        if number % 2:
            picture = picture[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
        inputs.append(as_input(picture, size))
    return inputs


def as_input(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> Float32:
    """A picture (H, W, 3), RGB, as a network takes it: (1, 3, height, width), 0 to 1."""
    boxed = letterbox(picture, size).transpose(2, 0, 1)[None]
    return np.asarray(boxed.astype(np.float32) / np.float32(255), np.float32)


def rendered_inputs(size: tuple[int, int]) -> list[Float32]:
    """Render one picture of each scene, every second one varied."""
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
        inputs.append(as_input(np.asarray(picture, np.uint8), size))
    return inputs


def kept_in_float(model: Any) -> list[str]:
    """Patterns of the layers that keep floating point: the last ones of the head and all behind them.

    With 8 bits there, boxes lose a tenth of their IoU.
    """
    names = [node.get_friendly_name() for node in model.get_ops()]
    head = next(name for name in names if ".dfl." in name).split(".dfl.")[0]
    at = head.replace(".", r"\.")
    return [at + r"\.cv[23]\.0\.2.*", at + r"/.*", at + r"\.dfl.*"]


def quantise(source: Path, target: Path, inputs: list[Float32], size: tuple[int, int]) -> None:
    """Write the quantised OpenVINO file of a model.

    Args:
        source: The `.pt` model.
        target: The `.xml` file to write; weights are written beside it.
        inputs: Calibration inputs.
        size: Their width and height in pixels; the result runs at other sizes, too.
    """
    import nncf
    import openvino
    from ultralytics import YOLO

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / source.name
        shutil.copy(source, copy)
        width, height = size
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
    """Quantise one model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--size", default=f"{INPUT_SIZE[0]}x{INPUT_SIZE[1]}", help="width x height, pixels")
    parser.add_argument("--real", type=Path, help="a set of real pictures to calibrate on as well")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    inputs = rendered_inputs((width, height))
    if options.real:
        inputs += real_inputs(options.real, (width, height))
    target = options.model.with_suffix(QUANTISED)
    quantise(options.model, target, inputs, (width, height))
    print(f"{target}, calibrated on {len(inputs)} pictures", flush=True)


if __name__ == "__main__":
    main()
