"""Samples for the fine ball detector: balls lie where the targets say, real ones and pasted ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from services.inference.fine_ball_detector import STEP
from touchline_lab.training.fine_ball_samples import HIGH, WIDE, FineBallSamples
from touchline_lab.training.labelled_luma import LabelledLuma
from touchline_lab.training.pasted_balls import BallPaster

NO_BOXES = np.zeros((0, 4))


def grass(value: int = 90, size: tuple[int, int] = (540, 960)) -> npt.NDArray[np.uint8]:
    return np.full(size, value, np.uint8)


def with_ball() -> LabelledLuma:
    """A picture with a white ball of 14 pixels, and a person."""
    luma = grass()
    down, right = np.mgrid[: luma.shape[0], : luma.shape[1]]
    luma[np.hypot(right - 500, down - 260) <= 7] = 230
    return LabelledLuma(
        luma, np.array([[493.0, 253.0, 507.0, 267.0]]), np.array([[300.0, 200.0, 330.0, 270.0]])
    )


def test_a_pasted_ball_is_brighter_than_the_grass_and_lies_in_its_box() -> None:
    luma = grass(90, (100, 100)).astype(np.float32)
    box = BallPaster([], np.random.default_rng(3)).paste(luma, np.array([50.0, 40.0]), 12.0)
    assert box is not None
    rows, columns = np.nonzero(np.abs(luma - 90) > 15)
    assert columns.min() >= box[0] - 3
    assert columns.max() <= box[2] + 3
    assert rows.min() >= box[1] - 3
    assert rows.max() <= box[3] + 3
    assert luma[38:43, 48:53].mean() > 120


def test_a_ball_that_would_leave_the_picture_is_not_pasted() -> None:
    luma = grass(90, (100, 100)).astype(np.float32)
    assert BallPaster([], np.random.default_rng(0)).paste(luma, np.array([4.0, 50.0]), 12.0) is None
    assert (luma == 90).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_targets_lie_on_the_balls(seed: int) -> None:
    samples = FineBallSamples([with_ball()], [with_ball()], seed)
    luma, peaks, positions = samples.batch(40)
    assert luma.shape == (40, HIGH, WIDE)
    assert peaks.shape == (40, HIGH // STEP, WIDE // STEP)
    brighter = []
    for picture, peak, position in zip(luma, peaks, positions, strict=True):
        for row, column in np.argwhere(peak >= 1):
            x = STEP * (column + 0.5 + position[0, row, column])
            y = STEP * (row + 0.5 + position[1, row, column])
            assert 0 <= x <= WIDE
            assert 0 <= y <= HIGH
            around = picture[max(0, int(y) - 1) : int(y) + 2, max(0, int(x) - 1) : int(x) + 2]
            brighter.append(float(around.mean()) - float(np.median(picture)))
    assert len(brighter) > 20
    assert np.mean(np.array(brighter) > 10) > 0.9


def test_the_same_seed_draws_the_same_samples() -> None:
    drawn = [FineBallSamples([with_ball()], [with_ball()], 5).batch(3) for _ in range(2)]
    for one, other in zip(*drawn, strict=True):
        assert np.array_equal(one, other)


def test_samples_lie_where_the_network_was_wrong() -> None:
    marked = grass()
    marked[100:110, 100:110] = 250
    picture = LabelledLuma(marked, NO_BOXES, NO_BOXES)
    ball = with_ball()

    def shares(hard: bool) -> float:
        samples = FineBallSamples([picture, ball], [ball], 7)
        samples.hard = {0: np.array([[105.0, 105.0]])} if hard else {}
        luma, peaks, _ = samples.batch(150)
        without_ball = luma[(peaks < 1).all(axis=(1, 2))]
        medians = np.median(without_ball, axis=(1, 2), keepdims=True)
        return float(((without_ball - medians) > 60).any(axis=(1, 2)).mean())

    assert shares(hard=True) > shares(hard=False) + 0.1
