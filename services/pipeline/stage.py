"""A stage that runs ahead of its consumer in a thread, by a bounded number of items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from services.cancellation import CancelScope

T = TypeVar("T")


class TimedOut(Exception):  # noqa: N818 - not an error: the caller asked to be told
    """No item came within the time given to `Ahead.get`."""


class Ahead(Generic[T]):
    """Runs an iterator in a thread.

    Args:
        items: The stage; it is driven by the thread alone and closed there.
        depth: Most items waiting for the consumer.
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
        self.blocked_s = 0.0
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
