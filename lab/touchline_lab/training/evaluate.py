"""Measure both models on a rendered clip, decoded from its H.264, without the rest of the system.

python -m touchline_lab.renderer.clip clip.mp4 --seed 3000 --seconds 30
python -m touchline_lab.training.evaluate clip.mp4 --every 6
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch

import services
from services.pitch import CLASS_NAMES, VERTICES_CM
from touchline_lab.evaluation.scoring import score_answer
from touchline_lab.renderer.clip import GroundTruth
from touchline_lab.training.models import (
    Float32,
    Objects,
    decode_keypoints,
    decode_objects,
    letterbox,
    load,
    to_tensor,
)

WEIGHTS = Path(services.__file__).parent / "inference" / "weights"
"""Folder of the bundled models."""
BATCH = 16
"""Pictures that are inferred at once."""


def decode(path: Path, every: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield every n-th frame of a clip, RGB, shape (H, W, 3)."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every == 0:
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def fit(positions: Float32, scores: Float32, confidence: float, size: tuple[int, int]) -> Float32:
    """Project all vertices with a homography that is fitted to the keypoints.

    Args:
        positions: Keypoints in pixels, shape (32, 2).
        scores: Their confidences, shape (32,).
        confidence: Minimum confidence of a keypoint that is used.
        size: Width and height of the picture.

    Returns:
        Shape (32, 2); zeros outside the picture, and everywhere if no homography could be fitted.
    """
    used = scores >= confidence
    if used.sum() < 4:
        return np.zeros_like(positions)
    found, _ = cv2.findHomography(VERTICES_CM[used], positions[used], cv2.RANSAC, 12.0)
    if found is None:
        return np.zeros_like(positions)
    projected = np.c_[VERTICES_CM, np.ones(len(VERTICES_CM))] @ found.T
    pixels = projected[:, :2] / projected[:, 2:]
    inside = (projected[:, 2] > 0) & (pixels >= 0).all(axis=1) & (pixels < size).all(axis=1)
    return np.where(inside[:, None], pixels, 0).astype(np.float32)


def answer_frame(number: int, objects: Objects, keypoints: Float32, size: tuple[int, int]) -> dict[str, Any]:
    """One frame of an answer, as JSON data."""
    boxes = objects.boxes * np.tile(size, 2)
    rows = zip(boxes.tolist(), objects.class_ids.tolist(), strict=True)
    found = [{"id": index, "bbox": box, "class_id": label} for index, (box, label) in enumerate(rows)]
    return {"frame_number": number, "keypoints": keypoints.tolist(), "objects": found}


def main() -> None:
    """Print the scores of both models, and of the keypoints after a homography."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, help="a clip whose ground truth lies beside it as .json")
    parser.add_argument("--detect", type=Path, default=WEIGHTS / "touchline-detect.pt")
    parser.add_argument("--pitch", type=Path, default=WEIGHTS / "touchline-pitch.pt")
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--confidence", type=float, default=0.35, help="minimum confidence of objects")
    parser.add_argument("--keypoint-confidence", type=float, default=0.35)
    options = parser.parse_args()
    torch.set_num_threads(1)
    truth = GroundTruth.load(options.clip.with_suffix(".json"))
    sampled = list(range(0, len(truth.frames), options.every))
    truth = GroundTruth(
        truth.seed, truth.fps, truth.width, truth.height, [truth.frames[number] for number in sampled]
    )
    size = (truth.width, truth.height)
    detect, pitch = (
        load(options.detect).fuse(verbose=False).eval(),
        load(options.pitch).fuse(verbose=False).eval(),
    )

    pictures = [letterbox(image) for image in decode(options.clip, options.every)]
    raw, fitted = [], []
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            batch = to_tensor(np.stack(pictures[start : start + BATCH]))
            objects = decode_objects(detect(batch)[0], options.confidence)
            positions, scores = decode_keypoints(pitch(batch)[0])
            positions = np.asarray(positions * size, np.float32)
            for offset, (found, spots, certain) in enumerate(zip(objects, positions, scores, strict=True)):
                number = start + offset
                plain = np.where(certain[:, None] >= options.keypoint_confidence, spots, 0)
                raw.append(answer_frame(number, found, plain, size))
                projected = fit(spots, certain, options.keypoint_confidence, size)
                fitted.append(answer_frame(number, found, projected, size))
    before, after = score_answer(raw, truth), score_answer(fitted, truth)
    for name in (*CLASS_NAMES, "people"):
        boxes = after.objects[name]
        print(f"{name:11} recall {boxes.recall:.3f}  precision {boxes.precision:.3f}  of {boxes.expected}")
    for name, score in (("keypoints", before), ("projected", after)):
        print(f"{name:11} {json.dumps(score.to_dict()['keypoints'])}  located {score.located:.3f}")


if __name__ == "__main__":
    main()
