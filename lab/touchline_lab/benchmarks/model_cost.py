"""CPU time of the models for one sampled frame, by input size.

    python -m touchline_lab.benchmarks.model_cost [--sizes 640,1024] [--rounds 9]

Detector and pitch model run full batches of a grey picture, whose content does not change the time. The sizes
take turns, so that a drift of the machine's speed hits all alike; printed are medians.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

from services.inference.predictors import LoadedPredictor, load_predictor
from services.settings import Settings, load_settings
from services.video.letterbox import Frame, Letterbox

SIZES = "384,640,768,960,1024,1280"
SOURCE = (1280, 720)
"""Width and height of the picture."""
WARM_UP = 2
"""Batches of each size that are not counted."""


def cpu_s(predictor: LoadedPredictor, settings: Settings) -> float:
    """CPU seconds of all threads of this process for one frame of a full batch."""
    box = Letterbox.fit(*SOURCE, settings.img_size)
    image = np.full((box.input_height, box.input_width, 3), 114, np.uint8)
    frames = [Frame(number, image) for number in range(settings.batch_size)]
    began = time.process_time()
    predictor.predict(frames, box)
    return (time.process_time() - began) / len(frames)


def main() -> None:
    """Measure and print one table as Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m touchline_lab.benchmarks.model_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default=SIZES, help="values of IMG_SIZE, comma-separated")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    loaded = []
    for size in options.sizes.split(","):
        settings = load_settings(img_size=int(size))
        loaded.append((settings, load_predictor(settings.predictor_for("gsr"), settings)))
    found: dict[int, list[float]] = {settings.img_size: [] for settings, _ in loaded}
    for number in range(WARM_UP + options.rounds):
        for settings, predictor in loaded:
            seconds = cpu_s(predictor, settings)
            if number >= WARM_UP:
                found[settings.img_size].append(seconds)
    print("| `IMG_SIZE` | CPU ms a frame |\n|---|---|")
    for size_, times in found.items():
        print(f"| {size_} | {median(times) * 1000:.0f} |")


if __name__ == "__main__":
    main()
