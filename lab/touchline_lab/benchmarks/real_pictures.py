"""Compares the detector with a larger reference detector on a clip of your own, without labels.

    python -m touchline_lab.benchmarks.real_pictures CLIP --reference COCO_MODEL.pt --reference-size 1280
    DETECTOR_MODEL=mine.pt python -m touchline_lab.benchmarks.real_pictures CLIP --reference COCO.pt --json

The detector is the one that the settings name, with their input size and confidence; goalkeepers, players and
referees count as people. The reference is any detection model that knows people (its classes are mapped by
name, like those of the detector), usually a larger one with a larger input. The reference is not the truth.
How much the agreement means depends on how good the reference is on these pictures, so look at a few (`--draw
FOLDER`).

Printed are recall and precision of people and ball against the reference at an IoU of 0.5, recall by the
height of people, how steady both detectors are from picture to picture, and, in pictures in which the pitch
model finds the pitch, how many people stand outside it and how many of those the reference does not have.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from services.challenges.gsr_kind import GsrKind
from services.inference.models import load_models
from services.pitch import BALL
from services.results import FrameResult
from services.settings import Settings, load_settings
from services.tracking.camera.homography import PictureSize
from services.tracking.camera.location import locate
from services.video.decode import Clip, DecodeLimits, open_clip
from services.video.source import MemorySource
from touchline_lab.benchmarks.agreement import BANDS, Boxes, agreement, off_pitch, steadiness, unmatched
from touchline_lab.evaluation.inferred_clip import batches

DRAWN = 8
"""Number of pictures that `--draw` writes, evenly spread over the clip."""


@dataclass(frozen=True)
class DetectedClip:
    """The results of one detector on the sampled frames of a clip.

    Attributes:
        size: Width and height of the source pictures.
        results: One result per sampled frame, in order.
    """

    size: PictureSize
    results: list[FrameResult]

    def people(self) -> list[Boxes]:
        """The boxes of all people, picture by picture."""
        return [_boxes(result, result.detections.classes != BALL) for result in self.results]

    def balls(self) -> list[Boxes]:
        """The boxes of all balls, picture by picture."""
        return [_boxes(result, result.detections.classes == BALL) for result in self.results]


def _boxes(result: FrameResult, chosen: Any) -> Boxes:
    return np.asarray(result.detections.boxes[chosen], np.float64).reshape(-1, 4)


def detect(data: bytes, settings: Settings, maximum: int | None = None) -> DetectedClip:
    """Run the detector, and the pitch model unless the settings skip it, on the sampled frames of a clip.

    Args:
        data: The video file.
        settings: Which models, and which frames are sampled.
        maximum: Number of sampled frames after which to stop; None for all of them.
    """
    limits = DecodeLimits(settings.max_frames, settings.max_pixels, settings.decode_threads)
    clip: Clip = open_clip(MemorySource(data), limits)
    plan, box = GsrKind().plan(clip, settings)
    models = load_models(settings)
    results: list[FrameResult] = []
    for batch in batches(clip.frames(plan, box), settings.batch_size):
        results += models.predict(batch, box)
        if maximum is not None and len(results) >= maximum:
            break
    return DetectedClip(PictureSize(clip.width, clip.height), results[:maximum])


def compare(ours: DetectedClip, theirs: DetectedClip) -> dict[str, Any]:
    """Compare the detector (`ours`) with the reference (`theirs`); the result is JSON data."""
    height = float(ours.size.height)
    people, ball = (
        agreement(mine, other, height)
        for mine, other in ((ours.people(), theirs.people()), (ours.balls(), theirs.balls()))
    )
    found: dict[str, Any] = {"pictures": len(ours.results)}
    for name, counts in (("people", people), ("ball", ball)):
        found[name] = {
            "recall": counts.recall,
            "precision": counts.precision,
            "given": counts.given,
            "reference": counts.expected,
        }
    found["people"]["recall_by_height"] = [
        {"from": low, "to": high, "recall": hits / of if of else None, "reference": of}
        for low, high, (hits, of) in zip(BANDS, BANDS[1:], people.by_height, strict=False)
    ]
    for name, detected in (("detector", ours), ("reference", theirs)):
        steady = steadiness(detected.people())
        people_counts = [len(boxes) for boxes in detected.people()]
        found[f"steadiness_{name}"] = {
            "gaps": steady.gaps,
            "flashes": steady.flashing,
            "people_a_picture": float(np.mean(people_counts)) if people_counts else None,
        }
    found["pitch"] = _outside(ours, theirs.people())
    return found


def _outside(ours: DetectedClip, reference: Sequence[Boxes]) -> dict[str, Any]:
    """Count people outside the pitch, in the pictures in which it is found."""
    located = outside = alone = people = 0
    for result, boxes, theirs in zip(ours.results, ours.people(), reference, strict=True):
        _, homography = locate(result, ours.size)
        if homography is None:
            continue
        located += 1
        people += len(boxes)
        off = off_pitch(boxes, homography)
        outside += int(off.sum())
        alone += int((off & unmatched(boxes, theirs)).sum())
    return {"located": located, "people": people, "outside": outside, "outside_and_not_in_reference": alone}


def draw(data: bytes, ours: DetectedClip, theirs: DetectedClip, folder: Path) -> None:
    """Write a few pictures with boxes: the reference white, people of the detector red, its balls yellow."""
    folder.mkdir(parents=True, exist_ok=True)
    step = max(1, len(ours.results) // DRAWN)
    wanted = {result.index: number for number, result in enumerate(ours.results) if number % step == 0}
    people, balls, expected = ours.people(), ours.balls(), theirs.people()
    with av.open(io.BytesIO(data), "r") as container:
        for index, frame in enumerate(container.decode(video=0)):
            number = wanted.get(index)
            if number is None:
                continue
            picture = np.ascontiguousarray(frame.to_ndarray(format="bgr24"))
            for boxes, colour, thickness in (
                (expected[number], (255, 255, 255), 1),
                (people[number], (40, 40, 230), 2),
                (balls[number], (0, 220, 255), 2),
            ):
                for x1, y1, x2, y2 in boxes.round().astype(int).tolist():
                    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, thickness)
            cv2.imwrite(str(folder / f"{index:06d}.jpg"), picture)


def lines(found: dict[str, Any]) -> list[str]:
    """The comparison as lines of text."""
    text = [f"{found['pictures']} pictures"]
    for name in ("people", "ball"):
        one = found[name]
        text.append(
            f"{name:9} recall {_share(one['recall'])}  precision {_share(one['precision'])}  "
            f"({one['given']} detected, {one['reference']} in the reference)"
        )
    for band in found["people"]["recall_by_height"]:
        text.append(
            f"  {100 * band['from']:3.0f} to {100 * band['to']:3.0f} % of the height: "
            f"recall {_share(band['recall'])} of {band['reference']}"
        )
    for name in ("detector", "reference"):
        one = found[f"steadiness_{name}"]
        text.append(
            f"{name:9} gaps {_share(one['gaps'])}  flashes {_share(one['flashes'])}  "
            f"{one['people_a_picture']:.1f} people a picture"
        )
    pitch = found["pitch"]
    text.append(
        f"pitch found in {pitch['located']} pictures; of {pitch['people']} people there {pitch['outside']} "
        f"stand outside it, {pitch['outside_and_not_in_reference']} of them not in the reference"
    )
    return text


def _share(value: float | None) -> str:
    return "  - " if value is None else f"{value:.3f}"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--reference", required=True, help="a detection model, named like DETECTOR_MODEL")
    parser.add_argument("--reference-size", type=int, default=1280, help="its IMG_SIZE")
    parser.add_argument("--reference-confidence", type=float, default=0.35)
    parser.add_argument(
        "--reference-classes", default="", help="its CLASS_MAP, if its class names are unknown"
    )
    parser.add_argument("--every", type=int, default=1, help="compare every Nth picture")
    parser.add_argument("--pictures", type=int, help="maximum number of pictures")
    parser.add_argument("--draw", type=Path, help="folder for a few pictures with the boxes of both")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    own = load_settings().model_copy(
        update={"frame_profile": "every", "frame_stride": options.every, "pitch_stride": 1}
    )
    other = own.model_copy(
        update={
            "detector_model": options.reference,
            "img_size": options.reference_size,
            "conf_threshold": options.reference_confidence,
            "class_map": tuple(part for part in options.reference_classes.split(",") if part),
            "skip_pitch": True,
            "ball_model": None,
        }
    )
    data = options.clip.read_bytes()
    ours, theirs = detect(data, own, options.pictures), detect(data, other, options.pictures)
    found = compare(ours, theirs)
    print(json.dumps(found, indent=1) if options.json else "\n".join(lines(found)))
    if options.draw is not None:
        draw(data, ours, theirs, options.draw)


if __name__ == "__main__":
    main()
