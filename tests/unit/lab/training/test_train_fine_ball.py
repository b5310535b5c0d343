"""Training of the fine ball detector: hard places, validation, and the files that inference reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from services.inference.ball_modules import FineBallModule
from services.inference.fine_ball_detector import load_fine_ball_detector
from services.results import LumaPicture
from touchline_lab.training.ball_files import write
from touchline_lab.training.labelled_luma import LabelledLuma
from touchline_lab.training.train_fine_ball import hard_places, validate


class Bright(FineBallModule):
    """Finds a ball of eight pixels in every cell that is bright."""

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(luma, 8)
        found = torch.zeros(len(luma), 5, *cells.shape[2:])
        found[:, 0] = torch.where(cells[:, 0] > 150, 2.0, -9.0)
        return found


def picture(*bright: tuple[int, int], ball: tuple[int, int] | None = None) -> LabelledLuma:
    """A dark picture with bright cells (column, row), one of which may be a ball."""
    luma = np.full((80, 120), 40, np.uint8)
    for column, row in bright:
        luma[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 220
    boxes = [] if ball is None else [[8 * ball[0], 8 * ball[1], 8 * ball[0] + 8, 8 * ball[1] + 8]]
    return LabelledLuma(luma, np.array(boxes, np.float64).reshape(-1, 4), np.zeros((0, 4)))


def test_hard_places_are_those_of_balls_that_are_none() -> None:
    pictures = [picture((3, 2), (8, 5), ball=(3, 2)), picture((3, 2), ball=(3, 2)), picture((1, 1))]
    hard = hard_places(Bright(), pictures, [0, 1])
    assert list(hard) == [0]
    np.testing.assert_allclose(hard[0], [[68.0, 44.0]])


def test_validation_counts_the_surest_ball_of_each_picture() -> None:
    pictures = [picture((3, 2), ball=(3, 2)), picture((1, 1), ball=(9, 5)), picture((1, 1)), picture()]
    assert validate(Bright(), pictures).startswith("recall / precision at 0.3: 0.50 / 0.33")


@pytest.mark.filterwarnings("ignore")  # the tracer has many
def test_written_files_are_those_that_workers_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FineBallModule(4, 6, 8).eval()
    with torch.no_grad():
        network.head.bias[0] = 1.0
    write(network, tmp_path / "fine")
    luma = LumaPicture(0, np.random.default_rng(0).integers(0, 255, (96, 128), np.uint8), 1.0)
    found = [
        load_fine_ball_detector(runtime, "cpu", 1, 1, tmp_path / "fine.npz").find(luma)
        for runtime in ("auto", "torch")
    ]
    assert len(found[0].scores) == 3
    np.testing.assert_allclose(found[0].boxes, found[1].boxes, atol=0.1)
    assert found[0].scores.tolist() == pytest.approx(found[1].scores.tolist(), abs=0.01)
