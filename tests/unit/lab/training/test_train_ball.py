"""Training of the ball network: targets, loss, and the files that inference reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from services.inference.ball_modules import BallModule
from services.inference.ball_network import HIGH, STEP, WIDE, load_ball_network
from services.results import LumaPicture
from touchline_lab.training.ball_files import write
from touchline_lab.training.peaks import peak_loss
from touchline_lab.training.train_ball import Crops, validate


@pytest.fixture
def crops(tmp_path: Path) -> Crops:
    """Crops of one luma picture with one bright disc."""
    picture = np.full((360, 640), 60, np.uint8)
    rows, columns = np.mgrid[:360, :640]
    picture[(columns + 0.5 - 301.25) ** 2 + (rows + 0.5 - 202.5) ** 2 < 16] = 250
    balls = np.zeros((1, 6, 3), np.float32)
    balls[0, 0] = 301.25, 202.5, 8.0
    np.savez(tmp_path / "0000.npz", luma_pictures=picture[None], balls=balls)
    return Crops([tmp_path / "0000.npz"], seed=0)


@pytest.mark.parametrize("varied", [False, True])
def test_targets_lie_on_the_disc(crops: Crops, varied: bool) -> None:
    luma, peaks, positions = crops.batch(64, varied)
    assert luma.shape == (64, 1, HIGH, WIDE)
    shown = 0
    for crop, peak, position in zip(luma[:, 0].numpy(), peaks.numpy(), positions.numpy(), strict=True):
        if not (peak >= 1).any():
            continue
        row, column = np.argwhere(peak >= 1)[0]
        x, y = STEP * (column + 0.5 + position[0, row, column]), STEP * (row + 0.5 + position[1, row, column])
        wide = STEP * np.exp(position[2, row, column])
        if not (wide < x < WIDE - wide and wide < y < HIGH - wide):
            continue
        shown += 1
        weight = np.clip(crop - np.percentile(crop, 95) - 20, 0, None)
        rows, columns = np.mgrid[:HIGH, :WIDE] + 0.5
        assert (weight * columns).sum() / weight.sum() == pytest.approx(x, abs=0.8)
        assert (weight * rows).sum() / weight.sum() == pytest.approx(y, abs=0.8)
        assert 8 * 0.65 < wide < 8 * 1.5
    assert shown > 15


def test_the_loss_is_smallest_for_an_output_that_equals_the_targets(crops: Crops) -> None:
    _, peaks, positions = crops.batch(16, varied=False)
    right = torch.cat([torch.where(peaks >= 1, 9.0, -9.0)[:, None], positions[:, :3]], 1)
    shifted = right.roll(3, dims=3)
    assert peak_loss(right, peaks, positions) < 0.05
    assert peak_loss(shifted, peaks, positions) > 10 * peak_loss(right, peaks, positions)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # OpenVINO's converter traces
def test_what_is_written_is_what_inference_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BallModule(8, 12)
    with torch.no_grad():  # confident in every cell, so that there is something to compare
        network.head.bias[0] = 3.0
    write(network, tmp_path / "net")
    noise = np.random.default_rng(0).integers(0, 255, (360, 640)).astype(np.uint8)
    asks = [(LumaPicture(0, noise, 2.0), np.array([300.0, 200.0]))]
    path = tmp_path / "net.npz"
    (by_openvino,), (by_torch,) = (
        load_ball_network(runtime, path).find(asks) for runtime in ("auto", "torch")
    )
    assert len(by_torch) == 2
    np.testing.assert_allclose(by_openvino, by_torch, atol=0.3)


def test_a_network_that_hits_nothing_yet_is_reported_too(
    crops: Crops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("touchline_lab.training.train_ball.VALIDATION_BATCHES", 1)
    network = BallModule(4, 4)
    with torch.no_grad():  # confident in no cell
        network.head.bias[0] = -9.0
    assert validate(network, crops).startswith("recall 0.000 precision 0.000 error nan, nan px")
