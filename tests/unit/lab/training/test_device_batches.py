"""Augmented samples: labels stay where the things are that they describe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.pitch import FLIP_INDEX, PLAYER, REFEREE
from touchline_lab.training.device_batches import DeviceBatches
from touchline_lab.training.overlays import OVERLAYS, overlay_bank
from touchline_lab.training.picture_sets import MAX_BOXES, PictureSet

SIZE = (320, 192)
GRASS = (40, 120, 40)


def one_person(class_id: int = PLAYER) -> PictureSet:
    """A bright person on dark grass."""
    image = torch.tensor(GRASS, dtype=torch.uint8).view(1, 3, 1, 1).repeat(1, 1, 360, 640)
    image[..., 100:180, 300:330] = 250
    boxes = torch.full((1, MAX_BOXES, 5), -1.0)
    boxes[0, 0] = torch.tensor([class_id, 300, 100, 330, 180])
    keypoints = torch.full((1, 32, 2), torch.nan)
    classes = tuple(torch.nonzero((boxes[..., 0] == number).any(1)).flatten() for number in range(4))
    return PictureSet(image, boxes, keypoints, classes)


def keypoints_at(places: dict[int, tuple[float, float]]) -> PictureSet:
    own = one_person()
    keypoints = torch.full((1, 32, 2), torch.nan)
    for number, place in places.items():
        keypoints[0, number] = torch.tensor(place)
    return PictureSet(own.images, own.boxes, keypoints)


def test_a_box_stays_around_what_it_describes() -> None:
    samples = DeviceBatches([(one_person(), 1.0)], "detect", SIZE, 3).batch(24)
    images = samples["img"].numpy()
    contrasts = []
    for index, (x, y, w, h) in zip(
        samples["batch_idx"].int().tolist(), samples["bboxes"].tolist(), strict=True
    ):
        left, right = round((x - w / 2) * SIZE[0]), round((x + w / 2) * SIZE[0])
        top, bottom = round((y - h / 2) * SIZE[1]), round((y + h / 2) * SIZE[1])
        inside = images[index, 2, top:bottom, left:right]
        contrasts.append(np.median(inside) - np.median(images[index, 2]))
    assert len(contrasts) >= 8
    # blue separates white from grass; an overlay may lie over one or the other
    assert np.median(contrasts) > 0.2


def test_what_is_no_longer_in_the_sample_has_no_box() -> None:
    samples = DeviceBatches([(one_person(), 1.0)], "detect", SIZE, 5).batch(32)
    assert len(samples["batch_idx"]) < 32, "some windows lie elsewhere"
    corners = torch.cat(
        [
            samples["bboxes"][:, :2] - samples["bboxes"][:, 2:] / 2,
            samples["bboxes"][:, :2] + samples["bboxes"][:, 2:] / 2,
        ]
    )
    assert corners.min() >= -1e-5
    assert corners.max() <= 1 + 1e-5


def test_referees_get_other_kits_and_players_keep_theirs() -> None:
    def kits(class_id: int) -> float:
        samples = DeviceBatches([(one_person(class_id), 1.0)], "detect", SIZE, 7).batch(32)
        found = []
        for index, (x, y, _, _) in zip(
            samples["batch_idx"].int().tolist(), samples["bboxes"].tolist(), strict=True
        ):
            pixel = samples["img"][index, :, int(y * SIZE[1]), int(x * SIZE[0])]
            found.append(float(pixel.max() - pixel.min()))
        return float(np.mean(np.array(found) > 0.3))

    assert kits(REFEREE) > kits(PLAYER)


def test_a_mirrored_pitch_has_the_mirrored_numbers() -> None:
    # keypoint 0 is the far left corner: in a mirrored picture what lies there is its mirror image
    samples = DeviceBatches([(keypoints_at({0: (320.0, 180.0)}), 1.0)], "pitch", SIZE, 1).batch(32)
    found = set(samples["cls"].flatten().int().tolist())
    assert found == {0, FLIP_INDEX[0]}


def test_the_same_seed_gives_the_same_samples() -> None:
    first, again = (DeviceBatches([(one_person(), 1.0)], "detect", SIZE, 9).batch(4) for _ in range(2))
    for name in first:
        assert torch.equal(first[name], again[name]), name


@pytest.mark.parametrize("count", [1, 7])
def test_sets_share_a_batch(count: int) -> None:
    batches = DeviceBatches([(one_person(), 0.7), (one_person(REFEREE), 0.3)], "detect", SIZE, 2)
    samples = batches.batch(count)
    assert samples["img"].shape == (count, 3, SIZE[1], SIZE[0])
    assert samples["img"].min() >= 0
    assert samples["img"].max() <= 1


def test_overlays_cover_a_part_of_the_picture() -> None:
    bank = overlay_bank(SIZE, 0)
    assert bank.shape == (OVERLAYS, 4, SIZE[1], SIZE[0])
    covered = (bank[:, 3] > 0).float().mean((1, 2))
    assert covered.max() < 0.9
    assert (covered > 0.001).float().mean() > 0.8
    assert torch.equal(bank, overlay_bank(SIZE, 0))
