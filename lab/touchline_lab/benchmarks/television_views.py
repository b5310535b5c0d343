"""Answers to clips like television, made of labelled pictures of the tactical camera.

    python -m touchline_lab.benchmarks.television_views PLAYERS

A window moves over each picture and zooms, as a main camera does, and is encoded as a clip of 1280 x 720.
Boxes move with it, so that every frame has labels, and each person an identity. The clips are answered with
the settings as they are. What such clips do not show: people and balls that move, cuts, graphics, and the
sharper pictures of a camera that really is that near.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from services.inference.models import load_models
from services.pitch import BALL
from services.settings import get_settings
from touchline_lab.evaluation.dataset import LabelledPicture, matched_boxes, read_dataset
from touchline_lab.evaluation.inferred_clip import answer_by_pipeline
from touchline_lab.evaluation.keypoint_score import PARTS, KeypointScore, keypoint_score
from touchline_lab.evaluation.painted_lines import painted_lines_of_clip
from touchline_lab.evaluation.scoring import overlaps
from touchline_lab.renderer.encoding import ClipEncoder, planes_of
from touchline_lab.training.train_mixed import TEST_MATCHES, VALIDATION_MATCHES

Floats = npt.NDArray[np.float64]

MATCHES: Final[dict[str, tuple[str, ...]]] = {"test": TEST_MATCHES, "choices": VALIDATION_MATCHES, "all": ()}
"""Matches on which nothing was trained: those that are only measured on, and those for choices.

`all` takes every picture, for data sets of one's own."""
SIZE: Final = (1280, 720)
"""Width and height of the clips."""
FPS: Final = 25
"""Frames per second."""
FRAMES: Final = 100
"""Frames of a clip."""
SHARES: Final = (0.35, 0.7)
"""Smallest and largest window, as shares of the picture's width."""
MIN_VISIBLE: Final = 0.5
"""Share of a box that has to be in the window for it to count."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip made of one picture.

    Attributes:
        data: The video file.
        boxes: For each frame (n, 5): class and corners of all labelled boxes, clipped to the window.
        visible: For each frame (n,): which of them are in the window.
    """

    data: bytes
    boxes: list[Floats]
    visible: list[npt.NDArray[np.bool_]]


def windows(picture: LabelledPicture, random: np.random.Generator) -> Iterator[Floats]:
    """The left upper corner and the width of the window in each frame, source pixels."""
    assert picture.boxes is not None
    height, width = picture.image.shape[:2]
    people = picture.boxes[picture.boxes[:, 0] != BALL, 1:]
    ends = []
    for _ in range(2):
        share = random.uniform(*SHARES)
        x1, y1, x2, y2 = people[int(random.integers(len(people)))]
        size = np.array([width, width * SIZE[1] / SIZE[0]]) * share
        corner = np.clip(np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - size / 2, 0, [width, height] - size)
        ends.append(np.array([*corner, size[0]]))
    for moved in (1 - np.cos(np.linspace(0, np.pi, FRAMES))) / 2:
        yield ends[0] + moved * (ends[1] - ends[0])


def make_clip(picture: LabelledPicture, random: np.random.Generator) -> Clip:
    """Encode what the window shows of a picture."""
    assert picture.boxes is not None
    memory = io.BytesIO()
    boxes, visible = [], []
    limit = np.array([*SIZE, *SIZE], np.float64)
    with ClipEncoder(memory, SIZE, FPS) as encoder:
        for x, y, wide in windows(picture, random):
            scale = SIZE[0] / wide
            place = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
            image = cv2.warpAffine(picture.image, place, SIZE, flags=cv2.INTER_CUBIC)
            encoder.add(planes_of(np.asarray(image, np.uint8)))
            whole = (picture.boxes[:, 1:] - [x, y, x, y]) * scale
            clipped = np.clip(whole, 0, limit)
            boxes.append(np.concatenate([picture.boxes[:, :1], clipped], axis=1))
            visible.append(_area(clipped) >= MIN_VISIBLE * _area(whole))
    return Clip(memory.getvalue(), boxes, visible)


def _area(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float64)


@dataclass(slots=True)
class Totals:
    """What was found in the frames of all clips.

    Attributes:
        hits: Answered boxes that are right at an IoU of 0.5, people and ball.
        given: Answered boxes.
        true: Labelled boxes.
        seen: Frames in which a person was found, over all people.
        lives: Runs of frames in which a person kept an id, over all people.
        people: People who were found at all.
    """

    hits: npt.NDArray[np.int64]
    given: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    seen: int = 0
    lives: int = 0
    people: int = 0


def count(clip: Clip, frames: Sequence[dict[str, Any]], totals: Totals) -> None:
    """Add an answer to the totals."""
    ids: dict[int, list[int]] = {}
    for frame in frames:
        number = frame["frame_number"]
        table = clip.boxes[number]
        for kind, is_kind in enumerate((table[:, 0] != BALL, table[:, 0] == BALL)):
            own = [one for one in frame["objects"] if (one["class_id"] == BALL) == bool(kind)]
            answered = np.array([one["bbox"] for one in own], np.float64).reshape(-1, 4)
            there = is_kind & clip.visible[number]
            totals.hits[kind] += matched_boxes(answered, table[there, 1:])
            totals.given[kind] += len(answered)
            totals.true[kind] += there.sum()
            if kind == 0 and len(own):
                for person in np.flatnonzero(there):
                    overlap = overlaps(answered, table[person : person + 1, 1:])[:, 0]
                    if overlap.max() >= 0.5:
                        ids.setdefault(int(person), []).append(own[int(overlap.argmax())]["id"])
    for found in ids.values():
        totals.seen += len(found)
        totals.lives += 1 + int(np.count_nonzero(np.diff(found)))
    totals.people += len(ids)


def report(totals: Totals, scores: Sequence[KeypointScore]) -> str:
    """What was measured, in a few lines."""
    recall = totals.hits / np.maximum(totals.true, 1)
    precision = totals.hits / np.maximum(totals.given, 1)
    lines = [
        f"{name:6} recall {recall[kind]:.3f}, precision {precision[kind]:.3f} ({totals.true[kind]} boxes)"
        for kind, name in enumerate(("people", "ball"))
    ]
    life, seen = (totals.seen / max(count, 1) / FPS for count in (totals.lives, totals.people))
    switches = totals.lives - totals.people
    lines.append(f"ids: mean life {life:.2f} s of {seen:.2f} s, {switches} switches ({totals.people} people)")
    means = {name: np.mean([getattr(score, name) for score in scores]) for name in ("final", *PARTS)}
    lines.append("keypoint score: " + ", ".join(f"{name} {value:.2f}" for name, value in means.items()))
    return "\n".join(lines)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=24, help="pictures that are used")
    parser.add_argument("--matches", choices=sorted(MATCHES), default="test")
    options = parser.parse_args()
    settings = get_settings()
    models = load_models(settings)
    pictures = list(read_dataset(options.folder, beginnings=MATCHES[options.matches]))
    random = np.random.default_rng(0)
    totals = Totals(np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64))
    scores: list[KeypointScore] = []
    chosen = np.unique(np.linspace(0, len(pictures) - 1, options.clips).round().astype(np.int64))
    for number in chosen:
        clip = make_clip(pictures[number], random)
        frames = json.loads(answer_by_pipeline(clip.data, models, settings))["frames"]
        count(clip, frames, totals)
        found = painted_lines_of_clip(clip.data, {frame["frame_number"] for frame in frames})
        scores.append(keypoint_score(frames, found.lines, found.size, range(found.frames)))
    print(report(totals, scores))


if __name__ == "__main__":
    main()
