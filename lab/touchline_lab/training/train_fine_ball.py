"""Trains the fine ball detector and writes the files that workers load.

    python -m touchline_lab.training.train_fine_ball PLAYERS touchline-ball-fine --minutes 70

PLAYERS is a labelled set of real pictures at full size; rendered pictures are made first. It writes
touchline-ball-fine.npz (for torch) and touchline-ball-fine.xml with its .bin (for OpenVINO).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from services.inference.ball_modules import FineBallModule
from services.inference.fine_ball_detector import FineBallDetector
from services.inference.luma_networks import Floats, Pictures
from services.results import LumaPicture
from touchline_lab.evaluation.scoring import overlaps
from touchline_lab.renderer.seeds import TRAINING_SEEDS
from touchline_lab.training.ball_files import write
from touchline_lab.training.fine_ball_samples import FineBallSamples
from touchline_lab.training.labelled_luma import LabelledLuma, real_luma, rendered_luma
from touchline_lab.training.peaks import peak_loss
from touchline_lab.training.train_mixed import TEST_MATCHES, VALIDATION_MATCHES

BATCH: Final = 32
"""Samples in a batch."""
SAMPLERS: Final = 2
"""Processes that draw samples."""
FIRST: Final = 500_000
"""Position of the first seed in the training range; the other networks use earlier ones."""
SCENES: Final = 300
"""Rendered scenes."""
REPORT_S: Final = 240.0
"""Seconds between two validations, each of which also collects balls that are none."""
HARD_PICTURES: Final = 60
"""Pictures in which they are searched each time."""
HARD_SCORE: Final = 0.1
"""Minimum score of a ball that is none and is trained on."""

Hard = dict[int, npt.NDArray[np.float64]]


def detector_of(network: FineBallModule) -> FineBallDetector:
    """The detector as workers use it, with a network that is in training."""

    def run(pictures: Pictures) -> Floats:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(pictures).float()).numpy(), np.float32)

    return FineBallDetector(run)


def validate(network: FineBallModule, pictures: Sequence[LabelledLuma]) -> str:
    """Recall and precision of the surest ball of each picture, at some scores, as a line of text."""
    network.eval()
    detector, rows, total = detector_of(network), [], 0
    for picture in pictures:
        found = detector.find(LumaPicture(0, picture.luma, 1.0))
        total += min(1, len(picture.balls))
        if len(found.scores):
            rows.append((float(found.scores[0]), _is_ball(found.boxes[:1], picture).any()))
    network.train()
    parts = []
    for score in (0.3, 0.5, 0.6):
        hits = [hit for own, hit in rows if own >= score]
        parts.append(f"{score:g}: {sum(hits) / max(1, total):.2f} / {sum(hits) / max(1, len(hits)):.2f}")
    return "recall / precision at " + ", ".join(parts)


def hard_places(network: FineBallModule, pictures: Sequence[LabelledLuma], numbers: Sequence[int]) -> Hard:
    """Where the network finds balls that are none, by the number of the picture."""
    network.eval()
    detector, hard = detector_of(network), {}
    for number in numbers:
        found = detector.find(LumaPicture(0, pictures[number].luma, 1.0))
        wrong = (found.scores > HARD_SCORE) & ~_is_ball(found.boxes, pictures[number])
        if wrong.any():
            boxes = found.boxes[wrong].astype(np.float64)
            hard[number] = (boxes[:, :2] + boxes[:, 2:]) / 2
    network.train()
    return hard


def _is_ball(boxes: npt.NDArray[np.float32], picture: LabelledLuma) -> npt.NDArray[np.bool_]:
    if not len(boxes) or not len(picture.balls):
        return np.zeros(len(boxes), bool)
    return np.asarray(overlaps(boxes.astype(np.float64), picture.balls).max(axis=1) >= 0.5, bool)


def _draw(
    queue: multiprocessing.Queue[object],
    hard: Connection,
    real: Sequence[LabelledLuma],
    rendered: Sequence[LabelledLuma],
    seed: int,
) -> None:
    """Draw batches without end, in a process of its own."""
    cv2.setNumThreads(1)
    samples = FineBallSamples(real, rendered, seed)
    while True:
        while hard.poll():
            samples.hard = hard.recv()
        queue.put(samples.batch(BATCH))


def main() -> None:
    """Train for a given time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("players", type=Path)
    parser.add_argument("out", type=Path, help="the files to write, without suffix")
    parser.add_argument("--start", type=Path, help="a .npz to start from")
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--rate", type=float, default=3e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(1)
    unseen = TEST_MATCHES + VALIDATION_MATCHES
    training = real_luma(options.players, unseen, of_these=False)
    validation = real_luma(options.players, VALIDATION_MATCHES, of_these=True)
    rendered = list(rendered_luma(TRAINING_SEEDS[FIRST : FIRST + SCENES]))
    network = FineBallModule.load(options.start) if options.start else FineBallModule()
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=1e-3)
    context = multiprocessing.get_context("fork")  # the pictures are shared
    queue: multiprocessing.Queue[object] = context.Queue(8)
    pipes = [context.Pipe(duplex=False) for _ in range(SAMPLERS)]
    for number, (hard_in, _) in enumerate(pipes):
        arguments = (queue, hard_in, training, rendered, number + 1)
        context.Process(target=_draw, args=arguments, daemon=True).start()
    random, hard = np.random.default_rng(0), Hard()
    begun = reported = time.monotonic()
    step, mean = 0, 0.0
    while (done := (time.monotonic() - begun) / (60 * options.minutes)) < 1:
        for group in optimiser.param_groups:
            falling = 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
            group["lr"] = options.rate * min(1.0, (step + 1) / 100) * falling
        luma, peaks, positions = (torch.from_numpy(part) for part in queue.get())  # type: ignore[attr-defined]
        loss = peak_loss(network(luma[:, None].float()), peaks, positions)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step, mean = step + 1, 0.99 * mean + 0.01 * float(loss.detach())
        if time.monotonic() - reported > REPORT_S:
            print(f"{step} steps, loss {mean:.3f}, {validate(network, validation)}", flush=True)
            chosen = random.permutation(len(training))[:HARD_PICTURES].tolist()
            hard |= hard_places(network, training, chosen)
            for _, hard_out in pipes:
                hard_out.send(hard)
            write(network, options.out)
            reported = time.monotonic()
    write(network, options.out)
    print(f"{step} steps, {validate(network, validation)}", flush=True)


if __name__ == "__main__":
    main()
