"""Renders training data: shards of small frames with their boxes and keypoints.

Scenes are taken from the seed ranges of `renderer.seeds`, with a few frames each, spread in time. Shards
appear atomically, so that training can start with the first one and use others when they appear.

    python -m touchline_lab.training.render_dataset DATA --split train --frames 6000
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np

from services.files import complete_or_absent
from touchline_lab.renderer.scene import Scene
from touchline_lab.renderer.seeds import TRAINING_SEEDS, VALIDATION_SEEDS
from touchline_lab.training.varied_scene import VariedScene

STORED_SIZE = (640, 360)
"""Width and height of the stored frames: larger than the networks' input, so that crops stay sharp."""
FRAMES_A_SCENE = 5
"""Stored frames of each scene."""
FRAMES_BETWEEN = 110
"""Distance of the stored frames of a scene, so that they differ."""
SHARD_FRAMES = 250
"""Frames in a shard."""
MAX_BOXES = 32
"""Rows for boxes of each frame."""


def render_shard(seeds: range, path: Path, varied: bool = False) -> None:
    """Render scenes into one shard.

    Args:
        seeds: Seeds of the scenes.
        path: The folder to write: ``images.npy``, shape (N, 360, 640, 3), BGR; ``boxes.npy``, shape (N, 32,
            5), class and corners in fractions of the picture, class -1 for none; and ``keypoints.npy``, shape
            (N, 32, 2), in fractions of the picture, zeros for those outside it.
        varied: Whether scenes are varied: see `touchline_lab.training.varied_scene`.
    """
    images, boxes, keypoints = [], [], []
    for seed in seeds:
        scene = VariedScene(seed) if varied else Scene(seed)
        start = seed % FRAMES_BETWEEN
        for index in range(FRAMES_A_SCENE):
            scene.advance(start + index * FRAMES_BETWEEN)
            if isinstance(scene, VariedScene):
                scene.vary()
            rendered = scene.render()
            height, width = rendered.image.shape[:2]
            images.append(cv2.resize(rendered.image, STORED_SIZE, interpolation=cv2.INTER_AREA))
            rows = np.full((MAX_BOXES, 5), -1.0, np.float32)
            for row, (class_id, x1, y1, x2, y2) in zip(rows, rendered.boxes, strict=False):
                row[:] = class_id, x1 / width, y1 / height, x2 / width, y2 / height
            boxes.append(rows)
            keypoints.append((rendered.keypoints / (width, height)).astype(np.float32))
    path.parent.mkdir(parents=True, exist_ok=True)
    with complete_or_absent(path) as unfinished:
        unfinished.mkdir()
        np.save(unfinished / "images.npy", np.stack(images))
        np.save(unfinished / "boxes.npy", np.stack(boxes))
        np.save(unfinished / "keypoints.npy", np.stack(keypoints))


def main() -> None:
    """Render shards until there are enough frames."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=("train", "val"), default="train")
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument(
        "--first-shard", type=int, default=0, help="with --step: several processes can share the work"
    )
    parser.add_argument("--step", type=int, default=1, help="render every Nth shard")
    parser.add_argument("--varied", action="store_true", help="scenes with any kits, grass, crowd and camera")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    seeds = TRAINING_SEEDS if options.split == "train" else VALIDATION_SEEDS
    scenes = SHARD_FRAMES // FRAMES_A_SCENE
    for shard in range(options.first_shard, math.ceil(options.frames / SHARD_FRAMES), options.step):
        path = options.data / options.split / f"{shard:04d}"
        if not path.exists():
            render_shard(seeds[shard * scenes : (shard + 1) * scenes], path, options.varied)
            print(path, flush=True)


if __name__ == "__main__":
    main()
