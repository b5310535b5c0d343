"""Trains the detector or the pitch model on real and rendered pictures together, for a given time.

    python -m touchline_lab.training.train_mixed detect OUT.pt --minutes 5 --device cuda \
        --real PLAYERS --rendered DATA/train --start yolo11n_coco.pt
    python -m touchline_lab.training.train_mixed pitch OUT.pt --minutes 5 --device cuda \
        --real PITCH --real PLAYERS --rendered DATA/train --start touchline-pitch-rendered.pt

Matches of `TEST_MATCHES` and `VALIDATION_MATCHES` are never trained on. The averaged weights are written to
OUT.pt once a minute, so that a run may be stopped at any time. Augmentation runs on the same device.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("YOLO_OFFLINE", "true")

import torch
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import ModelEMA

from services.pitch import CLASS_NAMES
from touchline_lab.training.device_batches import DeviceBatches
from touchline_lab.training.models import build, load, save
from touchline_lab.training.picture_sets import PictureSet, real_set, rendered_set
from touchline_lab.training.train import in_float

TEST_MATCHES: Final = ("744b27", "a9f16c", "e624c9", "0bfacc")
"""Matches that accuracy is measured on; nothing is trained on them or chosen by them."""
VALIDATION_MATCHES: Final = ("798b45", "0a2d9b")
"""Matches that choices between models are made by."""
INPUT_SIZES: Final = ((640, 384), (960, 544))
"""Width and height of the networks' input in pixels: each step takes one of these at random."""
PLAYERS_SIZE: Final = (1440, 810)
"""Size of the pictures in memory that have boxes: a quarter of their width is still a sharp sample."""
PITCH_SIZE: Final = (1138, 640)
"""Size of the pictures in memory that have keypoints."""
WARM_UP_STEPS: Final = 150
"""Steps in which the learning rate rises from zero."""
LAST_RATE: Final = 0.01
"""Learning rate at the end, as a share of the highest."""
CLASS_WEIGHTS: Final = (1.5, 1.5, 1.0, 1.5)
"""Weights of ball, goalkeeper, player and referee in the loss: there are twenty players in a picture."""
SAVE_EVERY_S: Final = 60.0
"""Seconds between two writings of the weights."""
REPORT_STEPS: Final = 200
"""Steps between two lines of the log."""


def started_model(task: str, start: Path | None, architecture: str) -> DetectionModel:
    """Build a network and take over the weights of another one wherever layers have the same name and shape.

    Args:
        task: `detect` or `pitch`.
        start: A checkpoint, or None for random weights.
        architecture: For the detector: a name in `architectures/`, or `yolo11n` for that of ultralytics.
    """
    if task == "pitch":
        return load(start) if start is not None else build("pitch")
    file = Path(__file__).parent / "architectures" / f"{architecture}.yaml"
    model = DetectionModel(
        str(file) if file.is_file() else f"{architecture}.yaml", ch=3, nc=len(CLASS_NAMES), verbose=False
    )
    model.names = dict(enumerate(CLASS_NAMES))
    model.args = get_cfg()
    if start is not None:
        stored = torch.load(start, map_location="cpu", weights_only=False)
        weights = (stored.get("ema") or stored["model"]).float().state_dict()
        own = model.state_dict()
        taken = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
        model.load_state_dict(taken, strict=False)
        print(f"{len(taken)} of {len(own)} arrays taken from {start.name}", flush=True)
    return model


def picture_sets(options: argparse.Namespace) -> list[tuple[PictureSet, float]]:
    """The sets that the command line names, with their shares of the samples."""
    size = PLAYERS_SIZE if options.task == "detect" else PITCH_SIZE
    without = TEST_MATCHES + VALIDATION_MATCHES
    sets = [
        real_set(folder, size, options.device, task=options.task, without=without) for folder in options.real
    ]
    total = sum(len(own) for own in sets)
    rendered = options.rendered_share if options.rendered else 0.0
    shares = [(own, (1 - rendered) * len(own) / total) for own in sets]
    if options.rendered:
        shards = sorted(options.rendered.glob("[0-9]*"))
        shares.append((rendered_set(shards, options.device), rendered))
    for own, share in shares:
        print(f"{len(own)} pictures {tuple(own.images.shape[2:])}: {share:.2f} of the samples", flush=True)
    return shares


def loss_of(model: Any, samples: dict[str, torch.Tensor]) -> torch.Tensor:
    """The loss of a batch; on CUDA the network, but not the loss, is computed in bfloat16."""
    images = samples["img"].contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=images.is_cuda):
        outputs = model(images)
    return torch.as_tensor(model.loss(samples, in_float(outputs))[0].sum())


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("detect", "pitch"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path, action="append", default=[], help="may be given several times")
    parser.add_argument("--rendered", type=Path, help="folder of shards")
    parser.add_argument("--rendered-share", type=float, default=0.3)
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--architecture", default="football-detect")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=64, help="samples of the smallest input size")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train until the time is over."""
    options = parsed()
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    begin = saved = time.monotonic()
    sets = picture_sets(options)
    random = torch.Generator().manual_seed(options.seed)
    sources = [DeviceBatches(sets, options.task, size, options.seed) for size in INPUT_SIZES]
    smallest = math.prod(INPUT_SIZES[0])
    counts = [options.batch * smallest // math.prod(size) for size in INPUT_SIZES]
    model = started_model(options.task, options.start, options.architecture)
    model = model.to(options.device, memory_format=torch.channels_last).train()
    if options.task == "detect":
        model.class_weights = torch.tensor(CLASS_WEIGHTS)
    average = ModelEMA(model, decay=0.999, tau=500)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate)
    step = 0
    while (share := (time.monotonic() - begin) / (options.minutes * 60)) < 1:
        factor = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor * min(1.0, (step + 1) / WARM_UP_STEPS)
        chosen = int(torch.randint(len(sources), (), generator=random))
        loss = loss_of(model, sources[chosen].batch(counts[chosen]))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update(model)
        step += 1
        if step % REPORT_STEPS == 0:
            elapsed = time.monotonic() - begin
            mean = float(loss.detach()) / counts[chosen]
            print(f"{elapsed:6.0f} s  step {step}  loss {mean:.3f}", flush=True)
        if time.monotonic() - saved > SAVE_EVERY_S:
            _save(average.ema, options, step)
            saved = time.monotonic()
    _save(average.ema, options, step)
    print(f"end: {step} steps of {options.batch}", flush=True)


def _save(model: DetectionModel, options: argparse.Namespace, step: int) -> None:
    facts = {"steps": step, "batch": options.batch, "input": INPUT_SIZES, "without": TEST_MATCHES}
    save(model, options.out, options.task, facts)


if __name__ == "__main__":
    main()
