"""How much the lens distortion that tracking estimates brings keypoints nearer to their labels.

    python -m touchline_lab.benchmarks.lens_distortion PITCH --aspect 16:9

The labelled pictures of a match count as the sampled frames of one shot: they have one camera and one lens.
The match is told by the first letters of the file names.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.inference.models import load_models
from services.pitch import STANDARD
from services.results import FrameResult
from services.settings import get_settings
from services.tracking.camera.homography import Matrix, PictureSize, project
from services.tracking.camera.lens import Lens, estimate_lens, undistorted
from services.tracking.camera.location import locate
from touchline_lab.evaluation.dataset import REFERENCE_WIDTH, aspect_ratio, infer_picture, read_dataset
from touchline_lab.training.picture_sets import match_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One labelled picture.

    Attributes:
        result: What the models found.
        fit: Its homography.
        labels: (32, 2) labelled keypoints in source pixels, NaN for an absent one.
    """

    result: FrameResult
    fit: Matrix
    labels: Floats


def error_px(fit: Matrix, lens: Lens | None, labels: Floats, width: int) -> float:
    """The median distance of the labelled keypoints, in pixels of a picture 1280 wide."""
    there = ~np.isnan(labels).any(axis=1)
    points = project(fit, STANDARD.vertices_m[there])
    shown = points if lens is None else lens.distort(points)
    return float(np.median(np.linalg.norm(shown - labels[there], axis=1))) * REFERENCE_WIDTH / width


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--aspect", type=aspect_ratio, help="width:height that pictures are stretched to")
    options = parser.parse_args()
    settings = get_settings().model_copy(update={"ball_search": "off"})
    models = load_models(settings)
    shots: dict[tuple[str, PictureSize], list[View]] = defaultdict(list)
    for picture in read_dataset(options.folder, options.aspect):
        size = PictureSize(picture.image.shape[1], picture.image.shape[0])
        result, fit = locate(infer_picture(picture, models, settings.img_size), size, STANDARD)
        if picture.keypoints is not None and fit is not None:
            shots[match_of(picture.name), size].append(View(result, fit, picture.keypoints))
    if not shots:
        raise SystemExit(f"{options.folder}: in no picture with a labelled pitch is the pitch found")
    print(f"{'match':8} {'pictures':>8} {'coefficient':>11} {'without, px':>11} {'with, px':>9}")
    before: list[float] = []
    after: list[float] = []
    for (match, size), views in sorted(shots.items(), key=lambda item: item[0][0]):
        results, fits = [view.result for view in views], [view.fit for view in views]
        lens = estimate_lens(results, fits, size, STANDARD)
        straight = fits if lens is None else undistorted(results, fits, lens, STANDARD)[1]
        own = [error_px(view.fit, None, view.labels, size.width) for view in views]
        corrected = [
            error_px(view.fit if fit is None else fit, None if fit is None else lens, view.labels, size.width)
            for view, fit in zip(views, straight, strict=True)
        ]
        told = "-" if lens is None else f"{lens.coefficient:.3f}"
        print(f"{match:8} {len(views):8} {told:>11} {np.median(own):11.2f} {np.median(corrected):9.2f}")
        before, after = before + own, after + corrected
    print(f"{'all':8} {len(before):8} {'':11} {np.median(before):11.2f} {np.median(after):9.2f}")


if __name__ == "__main__":
    main()
