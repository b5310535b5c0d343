"""Batches: their sizes, and several of them at once in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from services.pipeline.batching import TAIL_BATCH, BatchSchedule, Lanes


def sizes(samples: int | None, lanes: int, batches: int = 12) -> list[int]:
    schedule = BatchSchedule(1, 16, samples, lanes)
    return [schedule.next() for _ in range(batches)]


def test_the_first_batch_is_small_and_the_next_ones_double() -> None:
    assert sizes(None, 1)[:6] == [1, 2, 4, 8, 16, 16]


def test_one_lane_keeps_full_batches_to_the_end() -> None:
    assert sizes(126, 1)[4:] == [16] * 8


def test_several_lanes_share_out_the_end_of_a_clip() -> None:
    schedule = BatchSchedule(1, 16, 126, 2)
    found: list[int] = []
    while sum(found) < 126:
        found.append(schedule.next())
    assert max(found) == 16
    peak = len(found) - 1 - found[::-1].index(16)
    tail = found[peak:]
    assert tail == sorted(tail, reverse=True)
    assert tail[-1] == TAIL_BATCH


def test_sizes_are_those_that_runtimes_are_warmed_with() -> None:
    assert set(sizes(100, 3, 20)) <= {1, 2, 4, 8, 16}


def test_results_come_in_order_even_when_a_later_batch_is_done_first() -> None:
    first_may_end = threading.Event()
    taken: list[int] = []

    def work(batch: int) -> Sequence[int]:
        if batch == 0:
            assert first_may_end.wait(30)
        else:
            first_may_end.set()  # only a batch that runs beside the first can let it end
        return [batch]

    lanes: Lanes[int, int] = Lanes(work, taken.extend, 2)
    for batch in range(5):
        lanes.submit(batch)
    lanes.drain()
    lanes.close()
    assert taken == [0, 1, 2, 3, 4]


def test_no_more_batches_run_at_once_than_there_are_lanes() -> None:
    running: list[int] = []
    most: list[int] = []
    guard = threading.Lock()

    def work(batch: int) -> Sequence[int]:
        with guard:
            running.append(batch)
            most.append(len(running))
        threading.Event().wait(0.01)
        with guard:
            running.remove(batch)
        return []

    lanes: Lanes[int, int] = Lanes(work, lambda _: None, 2)
    for batch in range(8):
        lanes.submit(batch)
    lanes.drain()
    lanes.close()
    assert max(most) <= 2


def test_what_a_batch_raised_reaches_the_caller() -> None:
    def work(_: int) -> Sequence[int]:
        raise ValueError("the device is gone")

    lanes: Lanes[int, int] = Lanes(work, lambda _: None, 2)
    lanes.submit(0)
    with pytest.raises(ValueError, match="the device is gone"):
        lanes.drain()
    lanes.close()


def test_lanes_go_on_while_results_are_being_taken() -> None:
    taking, done = threading.Event(), threading.Event()
    worked: list[int] = []

    def work(batch: int) -> Sequence[int]:
        worked.append(batch)
        if batch == 3:
            done.set()
        return [batch]

    def take(_: Sequence[int]) -> None:
        taking.set()
        assert done.wait(10)

    lanes: Lanes[int, int] = Lanes(work, take, 1)
    lanes.submit(0)
    assert taking.wait(10)
    for batch in range(1, 4):
        lanes.submit(batch)
    lanes.drain()
    lanes.close()
    assert worked == [0, 1, 2, 3]


def test_nothing_is_taken_behind_an_error() -> None:
    taken: list[int] = []
    both = threading.Barrier(2, timeout=10)

    def work(batch: int) -> Sequence[int]:
        both.wait()
        if batch == 0:
            raise ValueError("the device is gone")
        return [batch]

    lanes: Lanes[int, int] = Lanes(work, taken.extend, 2)
    lanes.submit(0)
    lanes.submit(1)
    with pytest.raises(ValueError, match="the device is gone"):
        lanes.drain()
    lanes.close()
    assert taken == []


def test_what_taking_results_raised_reaches_the_caller() -> None:
    def take(_: Sequence[int]) -> None:
        raise ValueError("no camera fits")

    lanes: Lanes[int, int] = Lanes(lambda batch: [batch], take, 2)
    lanes.submit(0)
    with pytest.raises(ValueError, match="no camera fits"):
        lanes.drain()
    lanes.close()
