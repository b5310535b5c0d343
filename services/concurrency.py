"""Threads of the pipeline: a stage that runs ahead, jobs and batches that run side by side but end in order.

Decoders, TLS and the models release the interpreter's lock while they work, so threads are enough.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from services.cancellation import CancelScope

INTERRUPT_S: Final = 0.02
"""Seconds until work that goes on is interrupted again."""

T = TypeVar("T")
Batch = TypeVar("Batch")
Result = TypeVar("Result")


def core_count() -> int:
    """The cores that this process may use: a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class TimedOut(Exception):  # noqa: N818 - not an error: the caller asked to be told
    """No item came within the time given to `Prefetcher.get`."""


class Prefetcher(Generic[T]):
    """Runs an iterator in a thread.

    Args:
        items: The stage; it is driven by the thread alone and closed there.
        depth: Maximum number of items waiting for the consumer.
        scope: Its cancel ends thread and consumer.
        name: The thread's name.
    """

    def __init__(self, items: Iterator[T], depth: int, scope: CancelScope, name: str) -> None:
        self._items = items
        self._depth = depth
        self._scope = scope
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        scope.on_cancel(self._wake)
        self._thread.start()

    def get(self, timeout: float) -> T:
        """The next item.

        Raises:
            StopIteration: There are no more.
            TimedOut: None came in time.
            BaseException: What the stage raised, once the items before it are used up.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._ended or self._scope.cancelled, max(0.0, timeout)
            )
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopIteration
            self._scope.check("pipeline")
            raise TimedOut

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; whether it did."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            with self._changed:
                self._error = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._depth or self._scope.cancelled)
            if self._scope.cancelled:
                return False
            self._waiting.append(item)
            self._changed.notify_all()
            return True


class OrderedExecutor(Generic[Batch, Result]):
    """Runs a function on several batches at once and hands the results on in order.

    The results are taken in a thread of their own, so that no inference slot is idle meanwhile.

    Args:
        work: What is done with a batch, in a thread of its own.
        then: Gets each batch's results in the order of submission, in one thread; none after an error.
        count: Batches that run at once.
        scope: Its cancel ends a `submit` that waits.
    """

    def __init__(
        self,
        work: Callable[[Batch], Sequence[Result]],
        then: Callable[[Sequence[Result]], None],
        count: int,
        scope: CancelScope | None = None,
    ) -> None:
        self._work = work
        self._scope = scope or CancelScope()
        self._then = then
        self._free = threading.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "touchline-inference")
        self._taking = ThreadPoolExecutor(1, "touchline-take")
        self._failed = False
        self._taken: deque[Future[None]] = deque()
        self._running: list[Future[Sequence[Result]]] = []
        self._scope.on_cancel(self._free.release)

    def submit(self, batch: Batch) -> None:
        """Run one batch; waits while all inference slots are busy.

        Raises:
            Cancelled: The scope was cancelled.
            BaseException: What the work on an earlier batch, or taking its results, raised.
        """
        self._free.acquire()
        self._scope.check("inference")
        self._check(all_of_them=False)
        running = self._threads.submit(self._work, batch)
        self._running = [one for one in self._running if not one.done()] + [running]
        running.add_done_callback(lambda _: self._free.release())
        self._taken.append(self._taking.submit(self._take, running))

    def drain(self) -> None:
        """Wait for everything that runs.

        Raises:
            BaseException: As `submit`.
        """
        self._check(all_of_them=True)

    def close(self, interrupt: Callable[[], None] | None = None) -> None:
        """Forget what has not begun and wait for what runs: the next challenge finds the device free.

        Args:
            interrupt: Ends work that runs; called again until nothing does, since work may go on to its next
                step.
        """
        self._failed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while interrupt is not None and (running := [one for one in self._running if not one.done()]):
            interrupt()
            wait(running, INTERRUPT_S)
        self._threads.shutdown(wait=True)
        self._taking.shutdown(wait=True, cancel_futures=True)
        self._taken.clear()
        self._running.clear()

    def _take(self, running: Future[Sequence[Result]]) -> None:
        if self._failed:
            return
        try:
            self._then(running.result())
        except BaseException:
            self._failed = True
            raise

    def _check(self, *, all_of_them: bool) -> None:
        while self._taken and (all_of_them or self._taken[0].done()):
            self._taken.popleft().result()


def run_in_order(jobs: Iterator[Iterator[T]], threads: int, room: int, name: str) -> Iterator[T]:
    """Run jobs, each an iterator of its own, and give what they give as if they ran one after the other.

    Jobs are started in order, as threads become free. An error of a job is raised where its next item would
    have come, and no job is started after it. Closing the iterator ends the threads and waits for them.

    Args:
        jobs: Asked for one job at a time, from any of the threads, but never by two of them.
        threads: How many jobs run at once; 1 runs them in the caller's thread.
        room: Maximum number of items that wait for the caller. The job whose turn it is may always have one
        waiting.
        name: Beginning of the threads' names.
    """
    if threads == 1:
        for job in jobs:
            yield from job
        return
    run = _Run(jobs, threads, room, name)
    try:
        yield from run.items()
    finally:
        run.close()


@dataclass(slots=True)
class _Slot(Generic[T]):
    """A job that was started: what it gave and nobody took, and how it ended."""

    items: deque[T] = field(default_factory=deque)
    ended: bool = False
    error: BaseException | None = None


class _Run(Generic[T]):
    def __init__(self, jobs: Iterator[Iterator[T]], threads: int, room: int, name: str) -> None:
        self._jobs = jobs
        self._room = room
        self._changed = threading.Condition()
        self._claiming = threading.Lock()
        self._slots: deque[_Slot[T]] = deque()
        """Of the jobs that are not used up, in order; the first is the one whose turn it is."""
        self._waiting = 0
        self._all_started = False
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def items(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(self._can_go_on)
                if not self._slots:
                    return
                slot = self._slots[0]
                if not slot.items:
                    if slot.error is not None:
                        raise slot.error
                    self._slots.popleft()
                    self._changed.notify_all()
                    continue
                item = slot.items.popleft()
                self._waiting -= 1
                self._changed.notify_all()
            yield item

    def close(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _can_go_on(self) -> bool:
        if not self._slots:
            return self._all_started
        return bool(self._slots[0].items) or self._slots[0].ended

    def _work(self) -> None:
        while True:
            slot: _Slot[T] = _Slot()
            job: Iterator[T] | None = None
            error: BaseException | None = None
            with self._claiming:
                if self._stopped or self._all_started:
                    return
                try:
                    job = next(self._jobs, None)
                except BaseException as raised:  # noqa: BLE001 - handed to the caller, who raises it
                    error = raised
                with self._changed:
                    self._all_started = job is None
                    if job is not None or error is not None:
                        self._slots.append(slot)
                    self._changed.notify_all()
            if job is not None:
                error = self._run(job, slot)
            with self._changed:
                slot.error, slot.ended = error, True
                self._all_started = self._all_started or error is not None
                self._changed.notify_all()

    def _run(self, job: Iterator[T], slot: _Slot[T]) -> BaseException | None:
        try:
            for item in job:
                if not self._put(slot, item):
                    break
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            return error
        finally:
            close = getattr(job, "close", None)
            if close is not None:
                close()
        return None

    def _put(self, slot: _Slot[T], item: T) -> bool:
        def may_put() -> bool:
            mine = self._slots[0] is slot and not slot.items
            return self._stopped or mine or self._waiting < self._room

        with self._changed:
            self._changed.wait_for(may_put)
            if self._stopped:
                return False
            slot.items.append(item)
            self._waiting += 1
            self._changed.notify_all()
            return True
