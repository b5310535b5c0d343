"""The paired comparison of two checkouts."""

from __future__ import annotations

import io
import json

import pytest

from touchline_lab.benchmarks.compare_checkouts import (
    WarmAnswer,
    WorkerOfCheckout,
    answer_in_turn,
    median_interval,
    report,
)


def _pair(first: float, second: float, fingerprint: str = "b") -> tuple[WarmAnswer, WarmAnswer]:
    return WarmAnswer(first, "b"), WarmAnswer(second, fingerprint)


def test_ratios_are_taken_within_a_round() -> None:
    pairs = [_pair(1.0, 1.1), _pair(10.0, 11.0), _pair(2.0, 2.2)]

    text = report(("old", "new"), pairs)

    assert "old: 2.000 s (1.000 to 10.000)" in text
    assert "second / first: 1.100" in text
    assert "answers: the same" in text


def test_one_other_answer_is_told() -> None:
    assert "answers: different" in report(("old", "new"), [_pair(1, 1), _pair(1, 1, "c")])


def test_the_interval_of_a_median_narrows_with_more_values() -> None:
    assert median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert median_interval([float(value) for value in range(100)]) == (40.0, 59.0)


def test_the_order_changes_with_every_round() -> None:
    asked: list[str] = []

    class Recorded(io.StringIO):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def write(self, text: str) -> int:
            asked.append(self._name)
            return len(text)

    answers = json.dumps({"total_s": 1.0, "fingerprint": "b"}) + "\n"
    first, second = (
        WorkerOfCheckout(name, Recorded(name), io.StringIO(answers * 2)) for name in ("first", "second")
    )

    answer_in_turn((first, second), 2)

    assert asked == ["first", "second", "second", "first"]


def test_a_worker_that_ended_is_named() -> None:
    worker = WorkerOfCheckout("old", io.StringIO(), io.StringIO(""))

    with pytest.raises(RuntimeError, match="the worker of old ended"):
        worker.answer()
