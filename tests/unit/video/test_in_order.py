from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from services.errors import CorruptVideo
from services.video.in_order import in_order

NAME = "test-in-order"


def left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(NAME)]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("room", [1, 3, 100])
def test_items_come_as_if_the_jobs_ran_one_after_the_other(threads: int, room: int) -> None:
    def job(number: int) -> Iterator[tuple[int, int]]:
        for item in range(number % 4):
            time.sleep(0.0005 * ((number + item) % 3))
            yield number, item

    found = list(in_order((job(n) for n in range(20)), threads, room, NAME))
    assert found == [(n, i) for n in range(20) for i in range(n % 4)]
    assert not left()


def test_jobs_run_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=5)

    def job(number: int) -> Iterator[int]:
        meet.wait()
        yield number

    assert list(in_order((job(n) for n in range(3)), 3, 1, NAME)) == [0, 1, 2]


def test_later_jobs_wait_while_there_is_no_room_and_never_hold_up_the_first() -> None:
    made: list[int] = []
    may_start = threading.Event()

    def first() -> Iterator[int]:
        assert may_start.wait(5)
        yield from range(100)

    def second() -> Iterator[int]:
        for item in range(100, 200):
            made.append(item)
            yield item

    items = in_order(iter([first(), second()]), 2, 7, NAME)
    timer = threading.Timer(0.2, may_start.set)
    timer.start()
    assert next(items) == 0
    assert len(made) <= 8  # what there is room for, and one in hand
    assert list(items) == list(range(1, 200))
    timer.join()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_where_the_next_item_would_have(threads: int) -> None:
    error = CorruptVideo("broken")
    begun: list[int] = []

    def job(number: int) -> Iterator[int]:
        begun.append(number)
        yield number
        if number == 4:
            raise error

    items = in_order((job(n) for n in range(1000)), threads, 5, NAME)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(CorruptVideo) as raised:
        next(items)
    assert raised.value is error
    assert not left()
    assert len(begun) < 20


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_finding_the_next_job(threads: int) -> None:
    def jobs() -> Iterator[Iterator[int]]:
        yield iter([1, 2])
        raise CorruptVideo("no next")

    items = in_order(jobs(), threads, 5, NAME)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(CorruptVideo, match="no next"):
        next(items)
    assert not left()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("taken", [1, 3])
def test_closing_early_closes_the_jobs_and_leaves_no_thread(threads: int, taken: int) -> None:
    opened: list[int] = []
    closed: list[int] = []

    def job(number: int) -> Iterator[int]:
        opened.append(number)
        try:
            while True:
                yield number
        finally:
            closed.append(number)

    items = in_order((job(n) for n in range(1000)), threads, 3, NAME)
    for _ in range(taken):
        assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert not left()
    assert sorted(closed) == sorted(opened)
