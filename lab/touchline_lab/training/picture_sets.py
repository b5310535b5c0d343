"""Training pictures of several origins, each with its boxes or keypoints, on the device that trains.

A set of real pictures is a folder as `touchline_lab.evaluation.dataset` reads it; a set of rendered ones is a
folder of shards of `touchline_lab.training.render_dataset`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from services.pitch import KEYPOINT_COUNT
from touchline_lab.training.models import Float32

__all__ = ["MAX_BOXES", "PictureSet", "match_of", "real_set", "rendered_set"]

MAX_BOXES: Final = 40
"""Rows for the boxes of each picture; a match has about 25 people and a ball in view."""
MATCH_LETTERS: Final = 6
"""The first letters of a real picture's name tell its match; training and test never share one."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureSet:
    """Pictures of one size.

    Attributes:
        images: (n, 3, height, width) uint8, RGB.
        boxes: (n, MAX_BOXES, 5) class and corners x1, y1, x2, y2 in pixels; class -1 for none.
        keypoints: (n, 32, 2) pixels; NaN for a keypoint that is not in the picture.
        classes: For each class of objects the pictures that have one.
    """

    images: torch.Tensor
    boxes: torch.Tensor
    keypoints: torch.Tensor
    classes: tuple[torch.Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def match_of(picture: str) -> str:
    """The match that a real picture is of, by its file name."""
    return picture[:MATCH_LETTERS]


def real_set(
    folder: Path, size: tuple[int, int], device: str, *, task: str, without: Sequence[str]
) -> PictureSet:
    """Read labelled real pictures.

    Args:
        folder: `images`, and `labels` (boxes or pitches) or `pitch_labels` (pitches); YOLO layout.
        size: Width and height to which all pictures are scaled, whatever their own shape.
        device: Where the arrays are kept.
        task: `detect` or `pitch`: pictures without such labels are left out.
        without: Matches to leave out.

    Raises:
        ValueError: No picture is left.
    """
    images, boxes, keypoints = [], [], []
    width, height = size
    for file in sorted(path for path in (folder / "images").iterdir() if match_of(path.name) not in without):
        own_boxes, own_keypoints = _labels(folder, file.stem, size)
        if (own_boxes if task == "detect" else own_keypoints) is None:
            continue
        picture = np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR), np.uint8)
        if picture.shape[:2] != (height, width):
            larger = picture.shape[1] > width
            how = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
            picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
        images.append(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))
        boxes.append(np.full((MAX_BOXES, 5), -1, np.float32) if own_boxes is None else own_boxes)
        absent = np.full((KEYPOINT_COUNT, 2), np.nan, np.float32)
        keypoints.append(absent if own_keypoints is None else own_keypoints)
    if not images:
        raise ValueError(f"{folder} has no pictures with labels for {task}")
    return _on_device(np.stack(images), np.stack(boxes), np.stack(keypoints), device)


def rendered_set(shards: Sequence[Path], device: str) -> PictureSet:
    """Read rendered pictures, which have boxes and keypoints, from shards."""
    images = np.concatenate([np.load(shard / "images.npy") for shard in shards])
    images = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2))
    size = np.array([images.shape[3], images.shape[2]], np.float32)
    stored = np.concatenate([np.load(shard / "boxes.npy") for shard in shards])[:, :MAX_BOXES]
    boxes = np.full((len(images), MAX_BOXES, 5), -1, np.float32)
    boxes[:, : stored.shape[1]] = stored
    boxes[..., 1:] *= np.where(boxes[..., :1] >= 0, np.tile(size, 2), 1)
    points = np.concatenate([np.load(shard / "keypoints.npy") for shard in shards])
    present = (points > 0).all(axis=2, keepdims=True)
    keypoints = np.where(present, points * size, np.nan).astype(np.float32)
    return _on_device(images, boxes, keypoints, device)


def _on_device(images: npt.NDArray[np.uint8], boxes: Float32, keypoints: Float32, device: str) -> PictureSet:
    rows = torch.from_numpy(boxes)
    classes = tuple(
        torch.nonzero((rows[..., 0] == number).any(1)).flatten().to(device) for number in range(4)
    )
    points = torch.from_numpy(keypoints)
    return PictureSet(torch.from_numpy(images).to(device), rows.to(device), points.to(device), classes)


def _labels(folder: Path, name: str, size: tuple[int, int]) -> tuple[Float32 | None, Float32 | None]:
    """Boxes (MAX_BOXES, 5) and keypoints (32, 2) of a picture in pixels, None where they are not labelled."""
    found: dict[int, list[list[float]]] = {}
    for folder_name in ("labels", "pitch_labels"):
        file = folder / folder_name / f"{name}.txt"
        for line in file.read_text().splitlines() if file.is_file() else ():
            row = [float(value) for value in line.split()]
            found.setdefault(len(row), []).append(row)
    boxes = keypoints = None
    pitch_values = 5 + 3 * KEYPOINT_COUNT
    if 5 in found:
        table = np.array(found[5], np.float32)[:MAX_BOXES]
        half = table[:, 3:] / 2
        boxes = np.full((MAX_BOXES, 5), -1, np.float32)
        boxes[: len(table), 0] = table[:, 0]
        boxes[: len(table), 1:3] = (table[:, 1:3] - half) * size
        boxes[: len(table), 3:] = (table[:, 1:3] + half) * size
    if pitch_values in found:
        values = np.array(found[pitch_values][0][5:], np.float32).reshape(KEYPOINT_COUNT, 3)
        present = (values[:, 2:] > 0) & (values[:, :2] > 0).all(axis=1, keepdims=True)
        keypoints = np.where(present, values[:, :2] * size, np.nan).astype(np.float32)
    return boxes, keypoints
