"""Makes training samples: crops, mirrors and recolours a stored frame, and makes the network's targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from services.pitch import BALL, FLIP_INDEX, GOALKEEPER
from touchline_lab.training.light import change_light
from touchline_lab.training.models import (
    INPUT_SIZE,
    KEYPOINT_BOX,
    PICTURE_SIZE,
    Float32,
    letterbox,
    to_tensor,
)

__all__ = ["Frames", "batch"]

_FLIP = list(FLIP_INDEX)
"""Number of each keypoint in a mirrored picture."""
_MINIMUM_VISIBLE = 0.4
"""Share of a person's box that has to remain after cropping."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The stored frames of one shard; `touchline_lab.training.render_dataset` describes the arrays."""

    images: npt.NDArray[np.uint8]
    boxes: Float32
    keypoints: Float32

    @classmethod
    def open(cls, shard: Path) -> Frames:
        """Map a shard into memory."""
        images = np.load(shard / "images.npy", mmap_mode="r")
        return cls(images, np.load(shard / "boxes.npy"), np.load(shard / "keypoints.npy"))

    def weights(self) -> Float32:
        """Relative frequencies of the frames for the detector: those with a goalkeeper count twice."""
        return np.asarray(1.0 + (self.boxes[..., 0] == GOALKEEPER).any(axis=1), np.float32)


def _cut(random: np.random.Generator, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Choose a 16:9 window x0, y0, x1, y1 of a picture of ``size``; half of the time all of it."""
    width, height = size
    if random.random() < 0.5:
        return 0, 0, width, height
    share = random.uniform(0.78, 1.0)
    cut_width, cut_height = round(width * share), round(height * share)
    x0 = int(random.integers(0, width - cut_width + 1))
    y0 = int(random.integers(0, height - cut_height + 1))
    return x0, y0, x0 + cut_width, y0 + cut_height


def _recolour(random: np.random.Generator, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Vary hue, saturation, brightness, sharpness and noise of a small BGR picture."""
    if random.random() < 0.3:
        quality = int(random.integers(40, 90))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    levels = np.arange(256)
    hue = ((levels + random.uniform(-6, 6)) % 180).astype(np.uint8)
    saturation = np.clip(levels * random.uniform(0.75, 1.25), 0, 255).astype(np.uint8)
    value = np.clip(levels * random.uniform(0.75, 1.25), 0, 255).astype(np.uint8)
    channels = [cv2.LUT(hsv[..., index], table) for index, table in enumerate((hue, saturation, value))]
    image = np.asarray(cv2.cvtColor(cv2.merge(channels), cv2.COLOR_HSV2BGR), np.uint8)
    if random.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 0.8)), np.uint8)
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(1, 5), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image


def _object_targets(boxes: Float32, ball_scale: float) -> Float32:
    """Targets of objects: class, x, y, width, height in fractions of the picture, clipped to it."""
    boxes = boxes[boxes[:, 0] >= 0]
    corners = boxes[:, 1:].clip(0, 1)
    size, whole = corners[:, 2:] - corners[:, :2], boxes[:, 3:] - boxes[:, 1:3]
    visible = size.prod(axis=1) >= _MINIMUM_VISIBLE * whole.prod(axis=1)
    visible &= (size > 0.002).all(axis=1) | (boxes[:, 0] == BALL)
    rows = np.concatenate([boxes[:, :1], (corners[:, :2] + corners[:, 2:]) / 2, size], axis=1)
    rows[rows[:, 0] == BALL, 3:] *= ball_scale
    return np.asarray(rows[visible & (size > 0).all(axis=1)], np.float32)


def _keypoint_targets(keypoints: Float32) -> Float32:
    """Rows class, x, y, width, height in fractions of the picture; boxes may reach over its border."""
    inside = ((keypoints > 0) & (keypoints < 1)).all(axis=1)
    count = int(inside.sum())
    size = np.array([KEYPOINT_BOX / PICTURE_SIZE[0], KEYPOINT_BOX / PICTURE_SIZE[1]], np.float32)
    return np.concatenate(
        [np.flatnonzero(inside)[:, None], keypoints[inside], np.tile(size, (count, 1))], axis=1
    )


def _sample(
    random: np.random.Generator,
    task: str,
    image: npt.NDArray[np.uint8],
    boxes: Float32,
    keypoints: Float32,
    ball_scale: float,
) -> tuple[npt.NDArray[np.uint8], Float32]:
    """One augmented input picture (RGB, letterboxed) and its target rows."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _cut(random, (width, height))
    picture = cv2.resize(image[y0:y1, x0:x1], PICTURE_SIZE, interpolation=cv2.INTER_AREA)
    picture = _recolour(random, change_light(random, np.asarray(picture, np.uint8)))
    origin, extent = np.array([x0 / width, y0 / height]), np.array([(x1 - x0) / width, (y1 - y0) / height])
    present = (keypoints > 0).all(axis=1, keepdims=True)
    keypoints = np.where(present, (keypoints - origin) / extent, -1.0).astype(np.float32)
    boxes = boxes.copy()
    boxes[:, 1:] = (boxes[:, 1:] - np.tile(origin, 2)) / np.tile(extent, 2)
    if random.random() < 0.5:
        picture = picture[:, ::-1]
        boxes[:, [1, 3]] = 1 - boxes[:, [3, 1]]
        keypoints = np.where(present, keypoints * (-1, 1) + (1, 0), -1.0).astype(np.float32)[_FLIP]
    rows = _object_targets(boxes, ball_scale) if task == "detect" else _keypoint_targets(keypoints)
    return letterbox(np.ascontiguousarray(picture[..., ::-1])), rows


def batch(
    random: np.random.Generator,
    task: str,
    shards: list[Frames],
    weights: Float32,
    size: int,
    ball_scale: float = 1.0,
) -> dict[str, torch.Tensor]:
    """Make a batch in the form that the loss of ultralytics takes.

    Args:
        random: Source of random numbers.
        task: ``detect`` or ``pitch``.
        shards: The shards to choose frames from; all have the same number of frames.
        weights: Relative frequencies of the frames of all shards, in order.
        size: Number of samples.
        ball_scale: Size of the ball's box, as a multiple of its true size. A box of four pixels overlaps no
            first guess, so it is never learned; one that starts large and shrinks is.
    """
    per_shard = len(shards[0].images)
    images, indices, targets = [], [], []
    for index, choice in enumerate(random.choice(len(weights), size, p=weights / weights.sum())):
        shard, frame = shards[choice // per_shard], choice % per_shard
        picture, rows = _sample(
            random, task, shard.images[frame], shard.boxes[frame], shard.keypoints[frame], ball_scale
        )
        images.append(picture)
        indices.append(np.full(len(rows), index))
        targets.append(rows)
    rows = np.concatenate(targets).astype(np.float32)
    padding = (INPUT_SIZE[1] - PICTURE_SIZE[1]) / 2
    rows[:, 2] = (rows[:, 2] * PICTURE_SIZE[1] + padding) / INPUT_SIZE[1]
    rows[:, 4] *= PICTURE_SIZE[1] / INPUT_SIZE[1]
    return {
        "img": to_tensor(np.stack(images)),
        "batch_idx": torch.from_numpy(np.concatenate(indices).astype(np.float32)),
        "cls": torch.from_numpy(rows[:, :1].copy()),
        "bboxes": torch.from_numpy(rows[:, 1:].copy()),
    }
