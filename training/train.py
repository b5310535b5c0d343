"""Train one of the bundled models from random weights on rendered pictures, for a given time.

    python -m training.train detect DATA OUT.pt --minutes 90
    python -m training.train pitch DATA OUT.pt --minutes 90 --resume OUT.pt

Every few minutes the averaged weights are measured on the validation scenes and written to OUT.pt, so a run
may be stopped at any time. New shards that appear in DATA meanwhile are used.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from ultralytics.utils.torch_utils import ModelEMA

from services.contracts.pitch import CLASS_NAMES
from training.augment import Frames, batch
from training.models import Float32, build, decode_keypoints, decode_objects, letterbox, load, save, to_tensor

_WARM_UP_STEPS = 100
_LAST_RATE = 0.02
_FIRST_BALL_SCALE = 2.5
_BALL_SHRINKS_FOR = 0.55  # share of the time


def open_shards(folder: Path) -> list[Frames]:
    """All complete shards of a split."""
    return [Frames.open(path) for path in sorted(folder.glob("[0-9]*"))]


def sampling(task: str, shards: list[Frames]) -> Float32:
    """How often to show each frame."""
    if task == "detect":
        return np.concatenate([shard.weights() for shard in shards])
    return np.ones(sum(len(shard.images) for shard in shards), np.float32)


def overlap(boxes: Float32, others: Float32) -> Float32:
    """Intersection over union of every pair, shape (N, M)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(axis=1) for corners in (boxes, others)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared + 1e-12), np.float32)


def validate_objects(
    outputs: torch.Tensor, frames: Frames, chosen: list[int], confidence: float = 0.35
) -> str:
    """Recall and precision of every class at an overlap of 0.5, as a line of text."""
    hits, truths, answers = np.zeros(4), np.zeros(4), np.zeros(4)
    for found, index in zip(decode_objects(outputs, confidence), chosen, strict=True):
        truth = frames.boxes[index]
        for class_id in range(4):
            expected = truth[truth[:, 0] == class_id, 1:]
            given = found.boxes[found.class_ids == class_id]
            truths[class_id] += len(expected)
            answers[class_id] += len(given)
            if len(expected) and len(given):
                hits[class_id] += (overlap(given, expected).max(axis=0) > 0.5).sum()
    recall, precision = hits / truths.clip(1), hits / answers.clip(1)
    lines = zip(CLASS_NAMES, recall, precision, strict=True)
    return "  ".join(f"{name} R {r:.2f} P {p:.2f}" for name, r, p in lines)


def validate_keypoints(
    outputs: torch.Tensor, frames: Frames, chosen: list[int], confidence: float = 0.3
) -> str:
    """Error in pixels of a picture 1280 wide, and how often keypoints are found, as a line of text."""
    positions, scores = decode_keypoints(outputs)
    truth = frames.keypoints[chosen]
    present, found = (truth > 0).all(axis=2), scores >= confidence
    errors = np.linalg.norm((positions - truth) * (1280, 720), axis=2)
    both = present & found
    near = errors < 30
    return (
        f"median error {np.median(errors[present]):.1f} px; "
        f"recall {both.sum() / present.sum():.2f}, near {(both & near).sum() / present.sum():.2f}; "
        f"false {(found & ~present).sum() / max(1, found.sum()):.3f}"
    )


def validate(model: torch.nn.Module, task: str, frames: Frames, count: int) -> str:
    """Measure a model on the first ``count`` frames of a shard."""
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


def main() -> None:
    """Train until the time is up."""
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
    parser.add_argument("--validate-every", type=float, default=6, help="minutes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)

    model = (load(options.resume) if options.resume else build(options.task)).to(
        memory_format=torch.channels_last
    )
    model.train()
    average = ModelEMA(model, decay=0.998, tau=300)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate)
    shards = open_shards(options.data / "train")
    weights = sampling(options.task, shards)
    held_out = open_shards(options.data / "val")[0]

    begin = looked = time.monotonic()
    step, running = 0, 0.0
    while (share := (time.monotonic() - begin) / (options.minutes * 60)) < 1:
        factor = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor * min(1.0, (step + 1) / _WARM_UP_STEPS)
        ball_scale = max(1.0, _FIRST_BALL_SCALE - share / _BALL_SHRINKS_FOR * (_FIRST_BALL_SCALE - 1))
        samples = batch(random, options.task, shards, weights, options.batch, ball_scale)
        samples["img"] = samples["img"].contiguous(memory_format=torch.channels_last)
        loss = model.loss(samples)[0].sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update(model)
        step += 1
        running += (float(loss.detach()) / options.batch - running) * max(0.02, 1 / step)
        if step % 50 == 0:
            minutes = (time.monotonic() - begin) / 60
            print(f"{minutes:6.1f} min  step {step}  loss {running:.3f}", flush=True)
        if time.monotonic() - looked > options.validate_every * 60:
            print("      ", validate(average.ema.eval(), options.task, held_out, 125), flush=True)
            save(average.ema, options.out, options.task, {"steps": step, "frames": len(weights)})
            shards = open_shards(options.data / "train")
            weights = sampling(options.task, shards)
            looked = time.monotonic()
    print(
        "end   ",
        validate(average.ema.eval(), options.task, held_out, 250),
        f"{len(weights)} frames",
        flush=True,
    )
    save(average.ema, options.out, options.task, {"steps": step, "frames": len(weights)})


if __name__ == "__main__":
    main()
