"""Several jobs at once in threads, what they give handed on in the order of the jobs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


def in_order(jobs: Iterator[Iterator[T]], threads: int, room: int, name: str) -> Iterator[T]:
    """Run jobs, each an iterator of its own, and give what they give as if they ran one after the other.

    Jobs are started in order, as threads become free. An error of a job is raised where its next item would
    have come, and no job is started after it. Closing the iterator ends the threads and waits for them.

    Args:
        jobs: Asked for one job at a time, from any of the threads, but never by two of them.
        threads: How many jobs run at once; 1 runs them in the caller's thread.
        room: Most items that wait for the caller. The job whose turn it is may always have one waiting.
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
