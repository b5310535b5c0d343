"""Renders training data for the ball network: luma pictures that were encoded as H.264, and their balls.

Some consecutive pictures of a scene go through the encoder of the rendered clips, so that the network learns
what a moving ball looks like after encoding.

    python -m touchline_lab.training.render_balls DATA --split train --scenes 500
"""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from services import pitch
from services.files import complete_or_absent
from services.video.luma import luma_picture
from touchline_lab.renderer.encoding import BITS_PER_PIXEL, ClipEncoder, planes_of
from touchline_lab.renderer.scene import Rendered, Scene
from touchline_lab.renderer.seeds import TRAINING_SEEDS, VALIDATION_SEEDS
from touchline_lab.training.light import change_light
from touchline_lab.training.varied_scene import VariedScene

FRAMES_A_SCENE = 12
"""Consecutive pictures of each scene."""
SHARD_SCENES = 20
"""Scenes in a shard."""
MAX_BALLS = 6
"""Rows for balls of each luma picture."""
VARIED_SHARE = 0.75
"""Share of the scenes that are varied."""
SIZES = ((1280, 720), (1280, 720), (1280, 720), (960, 540), (1920, 1080))
"""Sizes of the pictures; each is as likely as it occurs here."""
FPS = 25
"""Frames per second of the encoded pictures."""
FIRST = 400_000
"""Position of the first seed in the training range; the other networks begin at its beginning."""


class _SizedVariedScene(VariedScene):
    """A varied scene of any picture size."""

    def __init__(self, seed: int, size: tuple[int, int]) -> None:
        super().__init__(seed)
        self._size = size


def _scene(seed: int, random: np.random.Generator) -> tuple[Scene, tuple[int, int]]:
    size = SIZES[int(random.integers(len(SIZES)))]
    if random.random() < VARIED_SHARE:
        varied = _SizedVariedScene(seed, size)
        varied.vary()
        return varied, size
    return Scene(seed, size), size


def _rendered(seed: int, random: np.random.Generator) -> tuple[list[Rendered], tuple[int, int]]:
    scene, size = _scene(seed, random)
    start = int(random.integers(400))
    pictures = []
    for index in range(FRAMES_A_SCENE):
        scene.advance(start + index)
        rendered = scene.render()
        # the same random numbers for each picture, so that all of a scene have the same light
        lit = change_light(np.random.default_rng([seed, 9]), rendered.image)
        pictures.append(Rendered(lit, rendered.boxes, rendered.keypoints, rendered.homography))
    return pictures, size


def _coded(pictures: list[Rendered], size: tuple[int, int], bits: float) -> list[av.VideoFrame]:
    """Encode the pictures, and return them as they are decoded, in order."""
    memory = io.BytesIO()
    with ClipEncoder(memory, size, FPS, bits_per_pixel=bits) as encoder:
        for rendered in pictures:
            encoder.add(planes_of(rendered.image))
    memory.seek(0)
    with av.open(memory, "r") as container:
        return list(container.decode(video=0))


def coded_clip(seed: int) -> tuple[list[av.VideoFrame], list[Rendered], tuple[int, int]]:
    """Render consecutive pictures of a scene, encode and decode them.

    Returns:
        The decoded frames, the rendered pictures with their boxes, and their width and height.
    """
    random = np.random.default_rng([seed, 8])
    pictures, size = _rendered(seed, random)
    return _coded(pictures, size, BITS_PER_PIXEL * random.uniform(0.7, 1.6)), pictures, size


def render_clip(seed: int) -> tuple[list[npt.NDArray[np.uint8]], list[npt.NDArray[np.float32]]]:
    """Render the luma pictures of one scene and the balls in each.

    Returns:
        Luma pictures, and for each an array of shape (6, 3): centre and width of its balls in its pixels;
        width 0 for none.
    """
    frames, pictures, size = coded_clip(seed)
    luma_pictures, balls = [], []
    for number, (frame, rendered) in enumerate(zip(frames, pictures, strict=True)):
        small = luma_picture(number, frame, size)
        assert small is not None
        rows = np.zeros((MAX_BALLS, 3), np.float32)
        found = [box for box in rendered.boxes if box[0] == pitch.BALL]
        for row, (_, x1, y1, x2, y2) in zip(rows, found, strict=False):
            row[:] = np.array([(x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1)]) / small.scale
        luma_pictures.append(small.luma)
        balls.append(rows)
    return luma_pictures, balls


def main() -> None:
    """Render shards until there are enough scenes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", choices=("train", "val"), default="train")
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument(
        "--first-shard", type=int, default=0, help="with --step: several processes can share the work"
    )
    parser.add_argument("--step", type=int, default=1, help="render every Nth shard")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    seeds = TRAINING_SEEDS[FIRST:] if options.split == "train" else VALIDATION_SEEDS[500:]
    for shard in range(options.first_shard, math.ceil(options.scenes / SHARD_SCENES), options.step):
        path = options.data / options.split / f"{shard:04d}.npz"
        if path.exists():
            continue
        clips = [render_clip(seed) for seed in seeds[shard * SHARD_SCENES : (shard + 1) * SHARD_SCENES]]
        path.parent.mkdir(parents=True, exist_ok=True)
        with complete_or_absent(path) as unfinished, unfinished.open("wb") as file:
            np.savez(
                file,
                luma_pictures=np.stack([picture for pictures, _ in clips for picture in pictures]),
                balls=np.stack([rows for _, balls in clips for rows in balls]),
            )
        print(path, flush=True)


if __name__ == "__main__":
    main()
