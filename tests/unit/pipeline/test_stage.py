from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from services.cancellation import CancelScope
from services.errors import Cancelled, CorruptVideo
from services.pipeline.stage import Ahead, TimedOut


def drain(stage: Ahead[int]) -> list[int]:
    found = []
    while True:
        try:
            found.append(stage.get(5))
        except StopIteration:
            return found


def test_items_come_in_order() -> None:
    assert drain(Ahead(iter(range(100)), 3, CancelScope(), "t")) == list(range(100))


def test_runs_ahead_by_no_more_than_its_depth() -> None:
    made: list[int] = []
    scope = CancelScope()

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    stage = Ahead(items(), 4, scope, "t")
    assert stage.get(5) == 0
    stage.join(0.1)
    assert len(made) <= 6  # taken + waiting + in hand
    scope.cancel()
    assert stage.join(5)


def test_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise CorruptVideo("damaged")

    stage = Ahead(items(), 5, CancelScope(), "t")
    assert stage.get(5) == 1
    with pytest.raises(CorruptVideo):
        stage.get(5)


def test_timeout_and_cancel() -> None:
    release = threading.Event()
    scope = CancelScope()

    def items() -> Iterator[int]:
        release.wait(10)
        yield 1

    stage = Ahead(items(), 1, scope, "t")
    with pytest.raises(TimedOut):
        stage.get(0.02)
    scope.cancel()
    with pytest.raises(Cancelled):
        stage.get(5)
    release.set()
    assert stage.join(5)


def test_cancel_closes_the_iterator_in_its_thread() -> None:
    closed = threading.Event()
    scope = CancelScope()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stage = Ahead(items(), 1, scope, "t")
    stage.get(5)
    scope.cancel()
    assert stage.join(5)
    assert closed.is_set()
