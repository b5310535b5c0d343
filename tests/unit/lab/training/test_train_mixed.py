"""Real sets are read without the matches that nothing may be trained on, and networks take over weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from touchline_lab.training.device_batches import DeviceBatches
from touchline_lab.training.models import save
from touchline_lab.training.picture_sets import match_of, real_set, rendered_set
from touchline_lab.training.render_dataset import render_shard
from touchline_lab.training.train_mixed import TEST_MATCHES, VALIDATION_MATCHES, loss_of, started_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch.*")


@pytest.fixture
def players(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for match in ("abc123", TEST_MATCHES[0], VALIDATION_MATCHES[0]):
        cv2.imwrite(str(tmp_path / "images" / f"{match}_1.png"), np.full((90, 160, 3), 99, np.uint8))
        (tmp_path / "labels" / f"{match}_1.txt").write_text("2 0.5 0.5 0.1 0.2\n0 0.25 0.5 0.05 0.05\n")
    return tmp_path


def test_held_out_matches_are_left_out(players: Path) -> None:
    without = TEST_MATCHES + VALIDATION_MATCHES
    own = real_set(players, (320, 180), "cpu", task="detect", without=without)
    assert len(own) == 1
    assert own.boxes[0, 0].tolist() == pytest.approx([2, 144, 72, 176, 108])
    assert [len(numbers) for numbers in own.classes] == [1, 0, 1, 0]


def test_no_match_is_both_for_tests_and_for_choices() -> None:
    assert not set(TEST_MATCHES) & set(VALIDATION_MATCHES)
    assert match_of("744b27_3_1.jpg") in TEST_MATCHES


def test_a_set_without_labels_for_the_task_is_named(players: Path) -> None:
    with pytest.raises(ValueError, match="no pictures with labels for pitch"):
        real_set(players, (320, 180), "cpu", task="pitch", without=())


def test_rendered_pictures_have_boxes_and_keypoints(tmp_path: Path) -> None:
    render_shard(range(5, 6), tmp_path / "0000")
    own = rendered_set([tmp_path / "0000"], "cpu")
    assert own.images.shape[1:] == (3, 360, 640)
    assert (own.boxes[..., 0] == 2).sum() > 20
    inside = ~own.keypoints.isnan().any(2)
    assert inside.any()
    assert own.keypoints[inside].max() <= 640


def test_a_network_takes_over_what_fits(tmp_path: Path) -> None:
    first = started_model("detect", None, "football-detect")
    with torch.no_grad():
        next(first.parameters()).fill_(0.25)
    save(first, tmp_path / "first.pt", "detect", {})
    taken = started_model("detect", tmp_path / "first.pt", "yolo11n")
    assert float(next(taken.parameters()).detach().mean()) == 0.25
    assert taken.names == {0: "ball", 1: "goalkeeper", 2: "player", 3: "referee"}


def test_a_batch_has_a_loss_that_can_be_followed(players: Path) -> None:
    own = real_set(players, (320, 180), "cpu", task="detect", without=())
    model = started_model("detect", None, "football-detect").train()
    value = loss_of(model, DeviceBatches([(own, 1.0)], "detect", (320, 192), 0).batch(2))
    torch.autograd.backward(value)
    assert torch.isfinite(value)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0
