"""A stage that runs ahead, batches side by side, jobs in order: what the pipeline's threads promise."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from services.cancellation import CancelScope
from services.concurrency import OrderedExecutor, Prefetcher, TimedOut, run_in_order
from services.errors import Cancelled, CorruptVideo, InferenceError


def drain(stage: Prefetcher[int]) -> list[int]:
    found = []
    while True:
        try:
            found.append(stage.get(30))
        except StopIteration:
            return found


def test_items_come_in_order() -> None:
    assert drain(Prefetcher(iter(range(100)), 3, CancelScope(), "t")) == list(range(100))


def test_runs_ahead_by_no_more_than_its_depth() -> None:
    made: list[int] = []
    scope = CancelScope()

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    stage = Prefetcher(items(), 4, scope, "t")
    assert stage.get(30) == 0
    stage.join(0.1)
    assert len(made) <= 6  # taken + waiting + in hand
    scope.cancel()
    assert stage.join(30)


def test_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise CorruptVideo("damaged")

    stage = Prefetcher(items(), 5, CancelScope(), "t")
    assert stage.get(30) == 1
    with pytest.raises(CorruptVideo):
        stage.get(30)


def test_timeout_and_cancel() -> None:
    release = threading.Event()
    scope = CancelScope()

    def items() -> Iterator[int]:
        release.wait(10)
        yield 1

    stage = Prefetcher(items(), 1, scope, "t")
    with pytest.raises(TimedOut):
        stage.get(0.02)
    scope.cancel()
    with pytest.raises(Cancelled):
        stage.get(30)
    release.set()
    assert stage.join(30)


def test_cancel_closes_the_iterator_in_its_thread() -> None:
    closed = threading.Event()
    scope = CancelScope()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stage = Prefetcher(items(), 1, scope, "t")
    stage.get(30)
    scope.cancel()
    assert stage.join(30)
    assert closed.is_set()


def test_results_come_in_order_even_when_a_later_batch_is_done_first() -> None:
    first_may_end = threading.Event()
    taken: list[int] = []

    def work(batch: int) -> Sequence[int]:
        if batch == 0:
            assert first_may_end.wait(30)
        else:
            first_may_end.set()  # only a batch that runs beside the first can let it end
        return [batch]

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, taken.extend, 2)
    for batch in range(5):
        executor.submit(batch)
    executor.drain()
    executor.close()
    assert taken == [0, 1, 2, 3, 4]


def test_no_more_batches_run_at_once_than_there_are_slots() -> None:
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

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, lambda _: None, 2)
    for batch in range(8):
        executor.submit(batch)
    executor.drain()
    executor.close()
    assert max(most) <= 2


def test_what_a_batch_raised_reaches_the_caller() -> None:
    def work(_: int) -> Sequence[int]:
        raise ValueError("the device is gone")

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, lambda _: None, 2)
    executor.submit(0)
    with pytest.raises(ValueError, match="the device is gone"):
        executor.drain()
    executor.close()


def test_a_cancel_ends_what_waits_for_a_slot_and_what_runs_is_interrupted() -> None:
    begun: list[int] = []
    running, interrupted = threading.Event(), threading.Event()

    def work(batch: int) -> Sequence[int]:
        begun.append(batch)
        running.set()
        assert interrupted.wait(20)
        raise InferenceError("interrupted")

    scope = CancelScope()
    executor: OrderedExecutor[int, int] = OrderedExecutor(work, lambda _: None, 1, scope)
    executor.submit(0)
    assert running.wait(20)
    threading.Timer(0.1, scope.cancel).start()
    with pytest.raises(Cancelled):
        executor.submit(1)
    executor.close(interrupted.set)
    assert begun == [0]


def test_work_that_goes_on_to_its_next_step_is_interrupted_again() -> None:
    steps: list[int] = []
    running, ended = threading.Event(), threading.Event()

    def work(batch: int) -> Sequence[int]:
        running.set()
        for step in range(3):
            assert ended.wait(20)
            ended.clear()
            steps.append(step)
        return []

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, lambda _: None, 1)
    executor.submit(0)
    assert running.wait(20)
    executor.close(ended.set)
    assert steps == [0, 1, 2]


def test_slots_go_on_while_results_are_being_taken() -> None:
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

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, take, 1)
    executor.submit(0)
    assert taking.wait(10)
    for batch in range(1, 4):
        executor.submit(batch)
    executor.drain()
    executor.close()
    assert worked == [0, 1, 2, 3]


def test_nothing_is_taken_behind_an_error() -> None:
    taken: list[int] = []
    both = threading.Barrier(2, timeout=30)

    def work(batch: int) -> Sequence[int]:
        both.wait()
        if batch == 0:
            raise ValueError("the device is gone")
        return [batch]

    executor: OrderedExecutor[int, int] = OrderedExecutor(work, taken.extend, 2)
    executor.submit(0)
    executor.submit(1)
    with pytest.raises(ValueError, match="the device is gone"):
        executor.drain()
    executor.close()
    assert taken == []


def test_what_taking_results_raised_reaches_the_caller() -> None:
    def take(_: Sequence[int]) -> None:
        raise ValueError("no camera fits")

    executor: OrderedExecutor[int, int] = OrderedExecutor(lambda batch: [batch], take, 2)
    executor.submit(0)
    with pytest.raises(ValueError, match="no camera fits"):
        executor.drain()
    executor.close()


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

    found = list(run_in_order((job(n) for n in range(20)), threads, room, NAME))
    assert found == [(n, i) for n in range(20) for i in range(n % 4)]
    assert not left()


def test_jobs_run_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=30)

    def job(number: int) -> Iterator[int]:
        meet.wait()
        yield number

    assert list(run_in_order((job(n) for n in range(3)), 3, 1, NAME)) == [0, 1, 2]


def test_later_jobs_wait_while_there_is_no_room_and_never_hold_up_the_first() -> None:
    made: list[int] = []
    may_start = threading.Event()

    def first() -> Iterator[int]:
        assert may_start.wait(30)
        yield from range(100)

    def second() -> Iterator[int]:
        for item in range(100, 200):
            made.append(item)
            yield item

    items = run_in_order(iter([first(), second()]), 2, 7, NAME)
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

    items = run_in_order((job(n) for n in range(1000)), threads, 5, NAME)
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

    items = run_in_order(jobs(), threads, 5, NAME)
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

    items = run_in_order((job(n) for n in range(1000)), threads, 3, NAME)
    for _ in range(taken):
        assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert not left()
    assert sorted(closed) == sorted(opened)
