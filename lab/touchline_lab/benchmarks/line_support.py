"""How well painted lines tell right homographies from wrong ones, on real pictures.

    python -m touchline_lab.benchmarks.line_support DIR

Of each picture of a data set in the YOLO layout, the whole and windows of it are inferred. Printed are
quantiles of the support of their own homographies, of the same with the corners of the picture displaced at
random, before and after they are moved onto the lines, and of homographies of other matches (the first six
characters of a name).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from services.inference.models import load_models
from services.pitch import STANDARD
from services.results import PaintedLines
from services.settings import get_settings
from services.tracking.camera.homography import PictureSize, fit_homography
from services.tracking.camera.line_fit import line_support, supported
from touchline_lab.evaluation.dataset import LabelledPicture, infer_picture, read_dataset

SIZE: Final = PictureSize(1280, 720)
SHARES: Final = (1.0, 0.6, 0.4, 0.3)
"""Widths of the windows, as shares of the picture."""
DISPLACED_PX: Final = (16.0, 30.0)
"""Standard deviations by which corners are displaced, pixels."""
OTHERS: Final = 3
"""Homographies of other matches that each picture is compared with."""
QUANTILES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of the homographies for which the support is printed."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A view with its lines and its own homography."""

    match: str
    lines: PaintedLines
    homography: npt.NDArray[np.float64]


def windows(picture: LabelledPicture, rng: np.random.Generator) -> Iterator[LabelledPicture]:
    """The whole picture, then windows at random places, all of one size."""
    height, width = picture.image.shape[:2]
    for share in SHARES:
        wide, high = int(width * share), int(height * share)
        left, top = rng.integers(0, width - wide + 1), rng.integers(0, height - high + 1)
        inside = picture.image[top : top + high, left : left + wide]
        scaled = cv2.resize(inside, (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA)
        yield replace(picture, image=np.asarray(scaled, np.uint8), boxes=None, keypoints=None)


def displaced(window: Window, pixels: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The window's homography with the picture's corners displaced."""
    corners = SIZE.corners.astype(np.float32)
    moved = corners + rng.normal(0, pixels, (4, 2)).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved) @ window.homography, np.float64)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rng = np.random.default_rng(0)
    settings = get_settings()
    models = load_models(settings)
    found: list[Window] = []
    for picture in read_dataset(folder):
        for window in windows(picture, rng):
            result = infer_picture(window, models, settings.img_size)
            if result.keypoints is None or result.painted_lines is None:
                continue
            fit = fit_homography(result.keypoints, SIZE, STANDARD)
            if fit is not None:
                found.append(Window(picture.name[:6], result.painted_lines, fit))
    print(row("own", [line_support(w.homography, w.lines, STANDARD) for w in found]))
    for pixels in DISPLACED_PX:
        off = [(w, displaced(w, pixels, rng)) for w in found]
        print(row(f"displaced by {pixels:.0f} px", [line_support(h, w.lines, STANDARD) for w, h in off]))
        moved = [(w, supported(h, w.lines, STANDARD)) for w, h in off]
        kept = [line_support(fit[0], w.lines, STANDARD) if fit is not None else 0.0 for w, fit in moved]
        print(row("the same, moved or dropped", kept))
    others = [
        line_support(found[number].homography, window.lines, STANDARD)
        for window in found
        for number in rng.integers(0, len(found), OTHERS)
        if found[number].match != window.match
    ]
    print(row("other matches", others))


def row(name: str, values: Sequence[float]) -> str:
    """A line of the table; other matches have no values where all pictures are of one."""
    quantiles = " ".join(f"{value:.2f}" for value in np.quantile(values, QUANTILES)) if values else "-"
    return f"{name:28} {len(values):5} {quantiles}"


if __name__ == "__main__":
    main()
