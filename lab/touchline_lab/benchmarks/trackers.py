"""Our tracks beside those of a well-kept library, from the same detections: who keeps people's ids?

    pip install lap     # which ultralytics' trackers need (BSD-2-Clause)
    python -m touchline_lab.benchmarks.trackers [--scenes pan,crowd] [--set held-out]

Every scene of `touchline evaluate` is sampled once; each tracker gets the detections of every n-th frame.
IDF1 is taken over those frames alone, since the library does not fill the others. ByteTrack and BoT-SORT run
with the settings that ultralytics ships; BoT-SORT sees the pictures, too, for its compensation of the camera.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.challenges.kinds import serve
from services.frame_plan import FramePlan
from services.pitch import BALL
from services.results import FrameResult
from services.settings import get_settings
from services.tracking.camera.homography import PictureSize
from services.tracking.clip import fill_clip
from services.video.decode import DecodeLimits, open_clip
from services.video.letterbox import Image, Letterbox
from services.video.source import MemorySource
from touchline_lab.evaluation.identity import FrameTracks, idf1
from touchline_lab.evaluation.run import Material
from touchline_lab.evaluation.scene_set import SceneSet
from touchline_lab.evaluation.scenes import choose_scenes, rendered_scenes

STRIDES = (1, 3, 6, 10)
"""Distances of the sampled frames that are compared; 6 is the default."""
LIBRARY = ("bytetrack", "botsort")
NAMES = ("ours", *LIBRARY)
Seen = list[tuple[FrameResult, Image]]


def look(material: Material, models: Any, side: int) -> tuple[Seen, Letterbox]:
    """What the models say of every frame, and the pictures that they saw."""
    clip = open_clip(MemorySource(material.data), DecodeLimits(1 << 20, 1 << 26))
    box = Letterbox.fit(clip.width, clip.height, side)
    frames = list(clip.frames(FramePlan(1, clip.count), box))
    results = [models.predict([frame], box)[0] for frame in frames]
    return [(result, frame.image) for result, frame in zip(results, frames, strict=True)], box


def ours(seen: Seen, stride: int, box: Letterbox) -> list[FrameTracks]:
    """Our tracks, at the sampled frames."""
    results = [result for result, _ in seen]
    size = PictureSize(box.source_width, box.source_height)
    filled = fill_clip(results, results[-1].index + 1, size, stride=stride)
    people = filled.classes != BALL
    found = []
    for result in results:
        here = people & (filled.frame == result.index)
        found.append((filled.ids[here], filled.boxes[here]))
    return found


def library(name: str, seen: Seen, box: Letterbox) -> list[FrameTracks]:
    """Those of one of ultralytics' trackers, which says which detection each box is."""
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers import BOTSORT, BYTETracker
    from ultralytics.utils import ROOT, YAML

    options = SimpleNamespace(**YAML.load(ROOT / "cfg" / "trackers" / f"{name}.yaml"))
    tracker = {"bytetrack": BYTETracker, "botsort": BOTSORT}[name](options)
    scale = box.width / box.source_width
    found = []
    for result, picture in seen:
        people = result.detections.classes != BALL
        boxes = result.detections.boxes[people]
        # in the pixels of the picture that goes along
        table = np.concatenate(
            [
                boxes * scale + [box.left, box.top] * 2,
                result.detections.scores[people, None],
                result.detections.classes[people, None],
            ],
            axis=1,
        )
        rows = tracker.update(Boxes(table.astype(np.float32), picture.shape[:2]), picture[..., ::-1].copy())
        rows = np.asarray(rows, np.float64).reshape(-1, 8)
        found.append((rows[:, 4].astype(np.int64), boxes[rows[:, 7].astype(np.int64)].astype(np.float64)))
    return found


def truth_of(material: Material, seen: Seen) -> list[FrameTracks]:
    """Who is where in the sampled frames."""
    assert material.ids is not None
    found = []
    for result, _ in seen:
        boxes, ids = material.truth.frames[result.index].boxes, material.ids[result.index]
        people = [(who, box[1:]) for who, box in zip(ids, boxes, strict=True) if box[0] != BALL]
        places = np.array([place for _, place in people], np.float64).reshape(-1, 4)
        found.append((np.array([who for who, _ in people], np.int64), places))
    return found


def compare(material: Material, models: Any, side: int) -> dict[tuple[str, int], float]:
    """IDF1 of each tracker at each stride."""
    seen, box = look(material, models, side)
    values = {}
    for stride in STRIDES:
        some = seen[::stride]
        true = truth_of(material, some)
        values["ours", stride] = idf1(ours(some, stride, box), true)
        for name in LIBRARY:
            values[name, stride] = idf1(library(name, some, box), true)
    return values


def main(words: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="python -m touchline_lab.benchmarks.trackers", description=__doc__)
    parser.add_argument("--scenes", default="all")
    parser.add_argument("--set", default="eleven", choices=[one.value for one in SceneSet])
    options = parser.parse_args(words)
    settings = get_settings()
    models = serve(settings).get("gsr").predictor
    wanted = choose_scenes(options.scenes, None, SceneSet(options.set))
    rows = {
        scene.name: compare(scene, models, settings.img_size)
        for scene in rendered_scenes(wanted, Path(".cache/clips"))
    }
    heads = [f"{name} {stride}" for stride in STRIDES for name in NAMES]
    print("| scene | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1))
    keys = [(name, stride) for stride in STRIDES for name in NAMES]
    for scene, values in rows.items():
        print(f"| {scene} | " + " | ".join(f"{values[key]:.3f}" for key in keys) + " |")
    means = [fmean(values[key] for values in rows.values()) for key in keys]
    print("| mean | " + " | ".join(f"{value:.3f}" for value in means) + " |")


if __name__ == "__main__":
    main()
