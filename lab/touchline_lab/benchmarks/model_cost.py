"""CPU time of the models for one sampled frame, by input size.

    python -m touchline_lab.benchmarks.model_cost [--sizes 640,1024] [--rounds 9]

Detector and pitch model run full batches of a grey picture, whose content does not change the time; the fine
ball detector runs on the luma of clips of two sizes. All take turns, so that a drift of the machine's speed
hits all alike; printed are medians.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

from services.inference.fine_ball_detector import FineBallDetector, load_fine_ball_detector
from services.inference.predictors import LoadedPredictor, load_predictor
from services.results import LumaPicture
from services.settings import Settings, load_settings
from services.video.letterbox import Frame, Letterbox

SIZES = "384,640,768,960,1024,1280"
SOURCES = ((1280, 720), (1920, 1080))
"""Width and height of clips."""
FINE_FRAMES = 4
"""Frames of the fine ball detector that are measured together."""
WARM_UP = 2
"""Batches of each size that are not counted."""


def cpu_s(predictor: LoadedPredictor, settings: Settings) -> float:
    """CPU seconds of all threads of this process for one frame of a full batch."""
    box = Letterbox.fit(*SOURCES[0], settings.img_size)
    image = np.full((box.input_height, box.input_width, 3), 114, np.uint8)
    frames = [Frame(number, image) for number in range(settings.batch_size)]
    began = time.process_time()
    predictor.predict(frames, box)
    return (time.process_time() - began) / len(frames)


def fine_ball_cpu_s(detector: FineBallDetector, size: tuple[int, int]) -> float:
    """CPU seconds of this process for the fine ball detector in one frame of a clip (width, height)."""
    luma = LumaPicture(0, np.full(size[::-1], 114, np.uint8), 1.0)
    began = time.process_time()
    for _ in range(FINE_FRAMES):
        detector.find(luma)
    return (time.process_time() - began) / FINE_FRAMES


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
    fine = load_fine_ball_detector("auto", "cpu", slots=1, threads=1)
    found: dict[int, list[float]] = {settings.img_size: [] for settings, _ in loaded}
    fine_found: dict[tuple[int, int], list[float]] = {size: [] for size in SOURCES}
    for number in range(WARM_UP + options.rounds):
        for settings, predictor in loaded:
            seconds = cpu_s(predictor, settings)
            if number >= WARM_UP:
                found[settings.img_size].append(seconds)
        for size, times in fine_found.items():
            seconds = fine_ball_cpu_s(fine, size)
            if number >= WARM_UP:
                times.append(seconds)
    print("| `IMG_SIZE` | CPU ms a frame |\n|---|---|")
    for img_size, times in found.items():
        print(f"| {img_size} | {median(times) * 1000:.0f} |")
    print("\n| Clip, fine ball detector | CPU ms a frame |\n|---|---|")
    for (width, height), times in fine_found.items():
        print(f"| {width} x {height} | {median(times) * 1000:.0f} |")


if __name__ == "__main__":
    main()
