"""Trains the detector or the pitch model on rendered pictures, for a given time.

    python -m touchline_lab.training.train detect DATA OUT.pt --minutes 90
    python -m touchline_lab.training.train pitch DATA OUT.pt --minutes 90 --resume EARLIER.pt --relu

Every few minutes the averaged weights are validated and written to OUT.pt, so a run may be stopped at any
time. Shards that appear in DATA meanwhile are used from then on.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from ultralytics.utils.torch_utils import ModelEMA

from services.pitch import CLASS_NAMES
from touchline_lab.evaluation.scoring import overlaps
from touchline_lab.training.augment import Frames, batch
from touchline_lab.training.models import (
    Float32,
    build,
    decode_keypoints,
    decode_objects,
    letterbox,
    load,
    save,
    to_tensor,
    use_relu,
)

_WARM_UP_STEPS = 50
"""Steps in which the learning rate rises from zero."""
_LAST_RATE = 0.02
"""Learning rate at the end, as a share of the highest."""
_BALL_SHRINKS_FOR = 0.55
"""Share of the time in which the ball's box shrinks to its true size."""
_CLASS_WEIGHTS = (2.0, 1.3, 1.0, 1.3)
"""Weights of ball, goalkeeper, player and referee in the loss: a picture has few of the others and twenty
players."""


NEAR_PX = 30
"""Pixels below which a keypoint counts as near its true position, in a picture 1280 wide."""


def open_shards(folder: Path) -> list[Frames]:
    """Open all complete shards of a split."""
    return [Frames.open(path) for path in sorted(folder.glob("[0-9]*"))]


def frame_weights(task: str, shards: list[Frames]) -> Float32:
    """Relative frequencies of all frames of the shards, shape (N,)."""
    if task == "detect":
        return np.concatenate([shard.weights() for shard in shards])
    return np.ones(sum(len(shard.images) for shard in shards), np.float32)


def validate_objects(
    outputs: torch.Tensor, frames: Frames, chosen: list[int], confidence: float = 0.35
) -> str:
    """Recall and precision of every class at an IoU of 0.5, as a line of text.

    Args:
        outputs: Raw outputs of the detector, shape (N, 8, A).
        frames: The shard.
        chosen: Indices of the N frames in the shard.
        confidence: Minimum confidence of a box.
    """
    hits, truths, answers = np.zeros(4), np.zeros(4), np.zeros(4)
    for found, index in zip(decode_objects(outputs, confidence), chosen, strict=True):
        truth = frames.boxes[index]
        for class_id in range(4):
            expected = truth[truth[:, 0] == class_id, 1:]
            given = found.boxes[found.class_ids == class_id]
            truths[class_id] += len(expected)
            answers[class_id] += len(given)
            if len(expected) and len(given):
                hits[class_id] += (overlaps(given, expected).max(axis=0) > 0.5).sum()
    recall, precision = hits / truths.clip(1), hits / answers.clip(1)
    lines = zip(CLASS_NAMES, recall, precision, strict=True)
    return "  ".join(f"{name} R {r:.2f} P {p:.2f}" for name, r, p in lines)


def validate_keypoints(
    outputs: torch.Tensor, frames: Frames, chosen: list[int], confidence: float = 0.3
) -> str:
    """Error in pixels of a picture 1280 wide, recall and false keypoints, as a line of text.

    Args:
        outputs: Raw outputs of the pitch model, shape (N, 36, A).
        frames: The shard.
        chosen: Indices of the N frames in the shard.
        confidence: Minimum confidence of a keypoint.
    """
    positions, scores = decode_keypoints(outputs)
    truth = frames.keypoints[chosen]
    present, found = (truth > 0).all(axis=2), scores >= confidence
    errors = np.linalg.norm((positions - truth) * (1280, 720), axis=2)
    both = present & found
    near = errors < NEAR_PX
    return (
        f"median error {np.median(errors[present]):.1f} px; "
        f"recall {both.sum() / present.sum():.2f}, near {(both & near).sum() / present.sum():.2f}; "
        f"false {(found & ~present).sum() / max(1, found.sum()):.3f}"
    )


def validate(model: torch.nn.Module, task: str, frames: Frames, count: int) -> str:
    """Validate a model on about ``count`` frames of a shard, evenly spread; returns a line of text."""
    chosen = list(range(0, len(frames.images), max(1, len(frames.images) // count)))
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(chosen), 16):
            pictures = [
                letterbox(frames.images[index][..., ::-1].copy()) for index in chosen[start : start + 16]
            ]
            outputs.append(model(to_tensor(np.stack(pictures)))[0])
    measure = validate_objects if task == "detect" else validate_keypoints
    return measure(torch.cat(outputs), frames, chosen)


def report(title: str, model: torch.nn.Module, task: str, validation: list[Frames], count: int) -> None:
    """Print a line for every shard of the validation split."""
    for number, frames in enumerate(validation):
        print(title, f"val {number}:", validate(model.eval(), task, frames, count), flush=True)


def in_float(value: Any) -> Any:
    """Convert all tensors of a network's output to single precision."""
    if isinstance(value, dict):
        return {key: in_float(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(in_float(part) for part in value)
    return value.float() if torch.is_tensor(value) else value


def loss_of(model: Any, samples: dict[str, torch.Tensor], bfloat16: bool) -> torch.Tensor:
    """The loss of a batch; with ``bfloat16`` the network, but not the loss, is computed in bfloat16."""
    if not bfloat16:
        return torch.as_tensor(model.loss(samples)[0].sum())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(samples["img"])
    return torch.as_tensor(model.loss(samples, in_float(outputs))[0].sum())


def main() -> None:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("detect", "pitch"))
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--resume", type=Path, help="start from these weights")
    parser.add_argument("--relu", action="store_true", help="replace SiLU by ReLU before the first step")
    parser.add_argument(
        "--ball-scale",
        type=float,
        default=2.5,
        help="size of the ball's box at the beginning, as a multiple of its true size",
    )
    parser.add_argument(
        "--bfloat16", action="store_true", help="compute the network in bfloat16: faster on CPUs that have it"
    )
    parser.add_argument("--validate-every", type=float, default=6, help="minutes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)

    model = (load(options.resume) if options.resume else build(options.task)).to(
        memory_format=torch.channels_last
    )
    if options.relu:
        use_relu(model)
    model.train()
    average = ModelEMA(model, decay=0.998, tau=300)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    if options.task == "detect":
        model.class_weights = torch.tensor(_CLASS_WEIGHTS)
    optimizer = torch.optim.AdamW(groups, lr=options.rate)
    shards = open_shards(options.data / "train")
    weights = frame_weights(options.task, shards)
    validation = open_shards(options.data / "val")

    begin = validated = time.monotonic()
    step, running = 0, 0.0
    while (share := (time.monotonic() - begin) / (options.minutes * 60)) < 1:
        factor = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor * min(1.0, (step + 1) / _WARM_UP_STEPS)
        ball_scale = max(1.0, options.ball_scale - share / _BALL_SHRINKS_FOR * (options.ball_scale - 1))
        samples = batch(random, options.task, shards, weights, options.batch, ball_scale)
        samples["img"] = samples["img"].contiguous(memory_format=torch.channels_last)
        loss = loss_of(model, samples, options.bfloat16)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update(model)
        step += 1
        running += (float(loss.detach()) / options.batch - running) * max(0.02, 1 / step)
        if step % 50 == 0:
            minutes = (time.monotonic() - begin) / 60
            print(f"{minutes:6.1f} min  step {step}  loss {running:.3f}", flush=True)
        if time.monotonic() - validated > options.validate_every * 60:
            report("      ", average.ema, options.task, validation, 125)
            save(average.ema, options.out, options.task, {"steps": step, "frames": len(weights)})
            shards = open_shards(options.data / "train")
            weights = frame_weights(options.task, shards)
            validated = time.monotonic()
    report(f"end, {len(weights)} frames", average.ema, options.task, validation, 250)
    save(average.ema, options.out, options.task, {"steps": step, "frames": len(weights)})


if __name__ == "__main__":
    main()
