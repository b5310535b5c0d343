"""How sampled frames are put together to batches, and run several at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from services.frame_plan import batch_sizes

Batch = TypeVar("Batch")
Result = TypeVar("Result")

TAIL_BATCH = 4
"""The batches that share out the end of a clip do not get smaller than this."""


class BatchSchedule:
    """The size of each batch of a clip.

    It starts with a small batch, so that the device starts early, doubles up to the full size and, where
    several batches run at once and the number of samples is known, gets smaller again towards the end, so
    that no lane works on a full batch while the others have nothing left. It depends on nothing that
    varies between two runs, so the same frames always share a batch.

    Args:
        first: Frames of the first batch.
        full: Most frames of a batch.
        samples: Sampled frames of the clip, or None where only the end will tell.
        lanes: Batches that run at once.
    """

    def __init__(self, first: int, full: int, samples: int | None, lanes: int) -> None:
        self._sizes = batch_sizes(first, full)
        self._samples = samples
        self._lanes = lanes
        self._number = 0
        self._taken = 0

    def next(self) -> int:
        """Frames of the next batch."""
        size = self._sizes[min(self._number, len(self._sizes) - 1)]
        if self._lanes > 1 and self._samples is not None:
            share = max(TAIL_BATCH, (self._samples - self._taken) // (2 * self._lanes))
            # one of the sizes that runtimes were warmed with
            size = min(size, max((s for s in self._sizes if s <= share), default=size))
        self._number += 1
        self._taken += size
        return size


class Lanes(Generic[Batch, Result]):
    """Runs a function on several batches at once and hands the results on in order.

    The results are taken in a thread of their own, so that no lane is idle meanwhile.

    Args:
        work: What is done with a batch, in a thread of its own.
        then: Gets each batch's results in the order of submission, in one thread; none after an error.
        count: Batches that run at once.
    """

    def __init__(
        self, work: Callable[[Batch], Sequence[Result]], then: Callable[[Sequence[Result]], None], count: int
    ) -> None:
        self._work = work
        self._then = then
        self._free = threading.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, "touchline-lane")
        self._taking = ThreadPoolExecutor(1, "touchline-take")
        self._failed = False
        self._taken: deque[Future[None]] = deque()

    def submit(self, batch: Batch) -> None:
        """Run one batch; waits while all lanes are busy.

        Raises:
            BaseException: What the work on an earlier batch, or taking its results, raised.
        """
        self._free.acquire()
        self._check(all_of_them=False)
        running = self._threads.submit(self._work, batch)
        running.add_done_callback(lambda _: self._free.release())
        self._taken.append(self._taking.submit(self._take, running))

    def drain(self) -> None:
        """Wait for everything that runs.

        Raises:
            BaseException: As `submit`.
        """
        self._check(all_of_them=True)

    def close(self) -> None:
        """Forget what has not begun and wait for what runs: the next challenge finds the device free."""
        self._failed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._taking.shutdown(wait=True, cancel_futures=True)
        self._taken.clear()

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
