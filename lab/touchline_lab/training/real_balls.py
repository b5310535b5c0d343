"""Luma pictures of real pictures, and their balls, for the ball network, beside the rendered ones.

    python -m touchline_lab.training.real_balls PLAYERS DATA

writes DATA/train/real.npz and DATA/val/real.npz in the form of `touchline_lab.training.render_balls`. Of each
picture there is the whole, as the tactical camera shows it, and windows around the ball, as closer cameras
would show it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.files import complete_or_absent
from services.pitch import BALL
from services.video.luma import WIDTH
from touchline_lab.evaluation.dataset import LabelledPicture, read_dataset
from touchline_lab.training.picture_sets import match_of
from touchline_lab.training.render_balls import MAX_BALLS
from touchline_lab.training.train_mixed import TEST_MATCHES, VALIDATION_MATCHES

WINDOWS: Final = 7
"""Windows of each picture with a ball, besides the whole."""
CLOSEST: Final = 0.3
"""Smallest window, as a share of the picture's width."""
SIZE: Final = (WIDTH, WIDTH * 9 // 16)
"""Width and height of the luma pictures."""
QUALITIES: Final = (35, 95)
"""Range of the JPEG quality: compression of the pictures, which are stored better than clips are."""


def luma_samples(
    picture: LabelledPicture, random: np.random.Generator
) -> list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]:
    """Luma pictures with their balls (MAX_BALLS, 3): centre and width in their pixels, 0 for none."""
    assert picture.boxes is not None
    height, width = picture.image.shape[:2]
    balls = picture.boxes[picture.boxes[:, 0] == BALL, 1:]
    samples = []
    for number in range(1 + (WINDOWS if len(balls) else 0)):
        share = 1.0 if number == 0 else float(np.exp(random.uniform(np.log(CLOSEST), 0.0)))
        size = np.array([width, height]) * share
        aim = random.uniform(0, 1, 2) * [width, height]
        if number and len(balls):
            aim = (balls[0, :2] + balls[0, 2:]) / 2 + random.uniform(-0.45, 0.45, 2) * size
        corner = np.clip(aim - size / 2, 0, np.array([width, height]) - size)
        x1, y1 = (int(side) for side in corner)
        part = picture.image[y1 : y1 + int(size[1]), x1 : x1 + int(size[0])]
        how = cv2.INTER_AREA if part.shape[1] >= SIZE[0] else cv2.INTER_LINEAR
        quality = int(random.integers(*QUALITIES))
        coded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        grey = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
        luma = np.asarray(cv2.resize(grey, SIZE, interpolation=how), np.uint8)
        scale = part.shape[1] / SIZE[0]
        rows = np.zeros((MAX_BALLS, 3), np.float32)
        for row, (left, top, right, bottom) in zip(rows, balls, strict=False):
            centre = (np.array([left + right, top + bottom]) / 2 - [x1, y1]) / scale
            if ((centre >= 0) & (centre < SIZE)).all():
                row[:] = *centre, max(right - left, bottom - top) / scale
        samples.append((luma, rows))
    return samples


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("players", type=Path)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    samples: dict[str, list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]] = {"train": [], "val": []}
    for picture in read_dataset(options.players):
        match = match_of(picture.name)
        if match in TEST_MATCHES or picture.boxes is None:
            continue
        samples["val" if match in VALIDATION_MATCHES else "train"] += luma_samples(picture, random)
    for split, own in samples.items():
        path = options.data / split / "real.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with complete_or_absent(path) as unfinished, unfinished.open("wb") as file:
            luma, balls = (np.stack(part) for part in zip(*own, strict=True))
            np.savez(file, luma_pictures=luma, balls=balls)
        print(path, len(own), flush=True)


if __name__ == "__main__":
    main()
