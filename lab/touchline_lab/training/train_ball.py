"""Trains the ball network on luma pictures, real or rendered, and writes the files that workers load.

    python -m touchline_lab.training.train_ball DATA touchline-ball --minutes 20

writes touchline-ball.npz (for torch) and touchline-ball.xml with its .bin (for OpenVINO).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from services.inference.ball_modules import BallModule
from services.inference.ball_network import HIGH, STEP, WIDE
from touchline_lab.training.ball_files import write
from touchline_lab.training.peaks import peak_loss, peak_targets

BATCH = 128
"""Crops in a batch."""
SHARE_WITH_BALL = 0.7
"""Share of the crops that contain a ball; the others lie anywhere."""
PEAK_WIDTH = 0.7
"""Standard deviation in cells of the peak that a ball has in the target."""
CONFIDENCE = 0.4
"""Minimum confidence of a ball in the validation."""
VALIDATION_BATCHES = 8
"""Batches of a validation."""

LumaPictures = npt.NDArray[np.uint8]
"""Luma pictures, shape (N, height, width)."""
Balls = npt.NDArray[np.float32]
"""Centre and width of the balls of each luma picture in its pixels, shape (N, 6, 3); width 0 for none."""


class Crops:
    """Crops of rendered luma pictures with their targets.

    Args:
        files: Shards that `render_balls` wrote.
        seed: Determines which crops are chosen, and how they are varied.
    """

    def __init__(self, files: list[Path], seed: int) -> None:
        shards = [np.load(file) for file in files]
        self._pictures: LumaPictures = np.concatenate([shard["luma_pictures"] for shard in shards])
        self._balls: Balls = np.concatenate([shard["balls"] for shard in shards])
        self._balls_present = np.argwhere(self._balls[..., 2] > 0)
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._pictures)

    def batch(self, count: int, varied: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw crops with their targets.

        Args:
            count: N, the number of crops.
            varied: Whether crops are scaled, mirrored, recoloured and given noise.

        Returns:
            Crops, shape (N, 1, H, W), luma from 0 to 255; peaks, shape (N, h, w) in cells, 1 where a ball is;
            and positions, shape (N, 4, h, w): offset of the ball to the right and down in cells, logarithm of
            its width in cells, and weight of these three in the loss.
        """
        samples = [self._sample(varied) for _ in range(count)]
        luma, peaks, positions = (np.stack(part) for part in zip(*samples, strict=True))
        return torch.from_numpy(luma[:, None]), torch.from_numpy(peaks), torch.from_numpy(positions)

    def _sample(self, varied: bool) -> tuple[npt.NDArray[np.float32], ...]:
        random = self._random
        scale = math.exp(random.uniform(-0.35, 0.35)) if varied and random.random() < 0.5 else 1.0
        size = np.round(np.array([WIDE, HIGH]) * scale)
        if random.random() < SHARE_WITH_BALL:
            number, ball = self._balls_present[int(random.integers(len(self._balls_present)))]
            middle = self._balls[number, ball, :2] + random.uniform(-0.46, 0.46, 2) * size
        else:
            number = int(random.integers(len(self._pictures)))
            middle = random.uniform((0, 0.2 * self._pictures.shape[1]), self._pictures.shape[2:0:-1])
        height, width = self._pictures.shape[1:]
        x, y = np.clip(np.round(middle - size / 2), 0, (width, height) - size).astype(int)
        crop = self._pictures[number, y : y + int(size[1]), x : x + int(size[0])]
        if scale != 1.0:
            how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
            crop = cv2.resize(crop, (WIDE, HIGH), interpolation=how)
        luma = crop.astype(np.float32)
        balls = self._balls[number][self._balls[number, :, 2] > 0]
        # a width like the two distances: on average, since both sides were rounded
        times = np.array([WIDE, HIGH, 0.0]) / [*size, 1.0]
        times[2] = times[:2].mean()
        balls = (balls - np.array([x, y, 0], np.float32)) * times
        if varied:
            if random.random() < 0.5:
                luma, balls = luma[:, ::-1].copy(), balls * [-1, 1, 1] + [WIDE, 0, 0]
            luma = luma * random.uniform(0.6, 1.4) + random.uniform(-30, 30)
            if random.random() < 0.5:
                luma += random.standard_normal(luma.shape, np.float32) * random.uniform(0, 5)
            luma = np.clip(luma, 0, 255)
        return (
            luma.astype(np.float32),
            *peak_targets(balls / STEP, (HIGH // STEP, WIDE // STEP), PEAK_WIDTH),
        )


def validate(network: BallModule, crops: Crops) -> str:
    """Recall, precision and errors over crops that are not varied, as a line of text."""
    network.eval()
    hits = missed = wrong = 0
    errors: list[float] = []
    with torch.inference_mode():
        for _ in range(VALIDATION_BATCHES):
            luma, peaks, positions = crops.batch(BATCH, varied=False)
            found = network(luma)
            chance = found[:, 0].sigmoid().flatten(1)
            for i in range(len(luma)):
                best = int(chance[i].argmax())
                claimed = float(chance[i, best]) >= CONFIDENCE
                true = bool((peaks[i] >= 1).any())
                weight = positions[i, 3].flatten()[best]
                if claimed and weight > 0:
                    hits += 1
                    apart = (found[i, 1:3].flatten(1)[:, best] - positions[i, :2].flatten(1)[:, best]) * STEP
                    errors.append(float(apart.norm()))
                else:
                    missed += true
                    wrong += claimed
    network.train()
    median, most = np.percentile(errors, (50, 90)) if errors else (math.nan, math.nan)  # at first none is hit
    return (
        f"recall {hits / max(1, hits + missed):.3f} precision {hits / max(1, hits + wrong):.3f} "
        f"error {median:.2f}, {most:.2f} px of the luma picture"
    )


def batches(crops: Crops) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield batches without end."""
    while True:
        yield crops.batch(BATCH)


def main() -> None:
    """Train for a given time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, help="the files to write, without suffix")
    parser.add_argument("--start", type=Path, help="a .npz to start from")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--first", type=int, default=16)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    training = Crops(sorted((options.data / "train").glob("*.npz")), options.seed)
    validation = Crops(sorted((options.data / "val").glob("*.npz")), 0)
    network = BallModule.load(options.start) if options.start else BallModule(options.first, options.width)
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=1e-3)
    print(
        len(training),
        "luma pictures,",
        sum(p.numel() for p in network.parameters()),
        "parameters",
        flush=True,
    )
    begun = reported = time.monotonic()
    step, sums = 0, 0.0
    for luma, peaks, positions in batches(training):
        done = (time.monotonic() - begun) / (60 * options.minutes)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = (
                options.rate * min(1.0, (step + 1) / 100) * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
            )
        value = peak_loss(network(luma), peaks, positions)
        optimiser.zero_grad()
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step, sums = step + 1, 0.98 * sums + 0.02 * float(value.detach())
        if time.monotonic() - reported > 60:
            reported = time.monotonic()
            print(f"{step} steps, loss {sums:.3f}, {validate(network, validation)}", flush=True)
            write(network, options.out)
    write(network, options.out)
    print(f"{step} steps, {validate(network, validation)}", flush=True)


if __name__ == "__main__":
    main()
