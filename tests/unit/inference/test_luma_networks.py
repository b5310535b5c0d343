"""Peaks of the networks that take luma, and running them with inputs of any size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from services.inference.bundled_models import WEIGHTS
from services.inference.luma_networks import load_luma_network, peaks
from services.inference.openvino_requests import MAX_SHAPES


def output(*cells: tuple[int, int, float]) -> npt.NDArray[np.float32]:
    """A map (4, 6, 8) with logits in some cells."""
    raw = np.full((4, 6, 8), -9.0, np.float32)
    raw[1:] = 0.0
    for row, column, logit in cells:
        raw[0, row, column] = logit
    return raw


def places(raw: npt.NDArray[np.float32], count: int = 3) -> list[tuple[float, float]]:
    return [(x, y) for x, y, _, _ in peaks(raw, step=8, minimum=0.1, count=count)]


def test_peaks_come_by_descending_score_with_the_middle_of_their_cell() -> None:
    raw = output((1, 2, 1.0), (4, 6, 2.0))
    raw[1:, 4, 6] = 0.25, -0.5, np.log(2.0)
    (x, y, score, sizes), second = peaks(raw, step=8, minimum=0.1, count=3)
    assert (x, y) == (8 * 6.75, 8 * 4.0)
    assert score == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert sizes == pytest.approx([np.log(2.0)])
    assert second[:2] == (8 * 2.5, 8 * 1.5)


def test_the_slope_of_a_peak_is_no_peak_however_wide_it_is() -> None:
    assert places(output((2, 2, 3.0), (2, 3, 2.5), (2, 4, 2.0), (2, 5, 1.5))) == [(8 * 2.5, 8 * 2.5)]


def test_few_are_given_and_none_below_the_minimum() -> None:
    raw = output((0, 0, 1.0), (0, 3, 0.9), (0, 6, 0.8), (3, 0, -5.0))
    assert len(places(raw)) == 3
    assert len(places(raw, count=2)) == 2


def test_what_is_no_number_is_no_peak() -> None:
    assert places(np.full((4, 6, 8), np.nan, np.float32)) == []
    broken = output((1, 2, 1.0))
    broken[0, 4, 4] = np.nan
    assert places(broken) == [(8 * 2.5, 8 * 1.5)]


def test_more_sizes_than_are_kept_compiled_give_the_same_as_before() -> None:
    network = load_luma_network(WEIGHTS / "touchline-ball-fine.npz", "FineBallModule", "auto")
    random = np.random.default_rng(0)
    pictures = [
        random.integers(0, 255, (1, 1, 64, 64 + 8 * number), np.uint8) for number in range(MAX_SHAPES + 2)
    ]
    first = [network(picture) for picture in pictures]
    again = [network(picture) for picture in pictures]
    for one, other, picture in zip(first, again, pictures, strict=True):
        assert one.shape == (1, 5, 8, picture.shape[3] // 8)
        assert np.array_equal(one, other)
