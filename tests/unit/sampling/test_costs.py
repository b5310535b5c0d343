"""What a frame costs: measured, rounded, or told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from services.challenges.gsr_kind import GsrKind
from services.challenges.kinds import ServedKind, ServedKinds
from services.pipeline.measure_costs import measure_costs
from services.results import Detections, FrameResult
from services.sampling.costs import Costs, rounded
from services.settings import load_settings
from services.video.letterbox import Frame


class Counting:
    """Counts what it is given, from all of its lanes."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self._lock = threading.Lock()

    def predict(self, frames: Sequence[Frame], box: Any) -> list[FrameResult]:
        with self._lock:
            self.batches.append(len(frames))
        return [FrameResult(frame.index, Detections.empty(), None) for frame in frames]


def served(predictor: Counting) -> ServedKinds:
    return ServedKinds({"gsr": ServedKind(GsrKind(), predictor, 2)}, {})


def test_every_lane_is_measured_with_a_full_batch() -> None:
    predictor = Counting()
    costs = measure_costs(served(predictor), load_settings(batch_size=8))
    assert set(predictor.batches) == {8}
    assert len(predictor.batches) % 2 == 0
    assert costs["gsr"].decode_s > 0
    assert costs["gsr"].inference_s > 0


def test_told_costs_are_taken_as_they_are_and_nothing_is_measured() -> None:
    predictor = Counting()
    settings = load_settings(inference_cost_ms=7, decode_cost_ms=3)
    assert measure_costs(served(predictor), settings) == {"gsr": Costs(0.007, 0.003)}
    assert predictor.batches == []


def test_one_told_cost_goes_before_its_measurement() -> None:
    found = measure_costs(served(Counting()), load_settings(inference_cost_ms=7))["gsr"]
    assert found.inference_s == 0.007
    assert found.decode_s > 0


@pytest.mark.parametrize(
    ("ms", "is_taken_for"), [(2.0, 2), (2.7, 2), (2.9, 4), (5.6, 4), (5.7, 8), (0.3, 0.25), (0, 1 / 1024)]
)
def test_costs_are_rounded_to_powers_of_two(ms: float, is_taken_for: float) -> None:
    assert rounded(ms / 1000) == pytest.approx(is_taken_for / 1000)


def test_an_estimate_adds_the_stages() -> None:
    assert Costs(0.010, 0.002).estimate(10, 100, 1280 * 720) == pytest.approx(0.3)
    assert Costs(0.010, 0.002).estimate(10, 100, 1280 * 720 * 4) == pytest.approx(0.9)
