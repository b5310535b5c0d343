"""One cancel for all threads of a challenge."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.errors import Cancelled


class CancelScope:
    """Tells every thread of a challenge, once, that its work is no longer wanted.

    Callbacks run in the thread that cancels, in reverse order of registration; one that is added
    after the cancel runs at once.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancel; further calls do nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks, self._callbacks = self._callbacks[::-1], []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `callback` called at the cancel."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the cancel; whether it came."""
        return self._event.wait(seconds)

    def check(self, stage: str) -> None:
        """Raise `Cancelled` when the scope was cancelled."""
        if self._event.is_set():
            raise Cancelled(f"cancelled in {stage}", stage=stage)
