"""A body that grows and can be read, anywhere, while it grows."""

from __future__ import annotations

import threading
import time

from services.cancel import CancelScope
from services.deadline import Deadline
from services.errors import ChallengeError

FAR_AHEAD = 512 * 1024
"""Demuxers make many small forward jumps; only a longer one is worth a request of its own."""


class ByteStream:
    """Bytes of one resource: a front part that grows, and at most one tail fetched out of order.

    One thread feeds, any number read. Every wait ends with the bytes,
    the end of the resource, the feeder's error, the cancel, or the deadline.

    Args:
        deadline: Bounds every wait.
        scope: Its cancel ends every wait.
        tail: Whether a tail can be had; if so, the feeder looks at `tail_wanted` and feeds it.

    Attributes:
        waited_s: Seconds that readers have waited for bytes.
    """

    def __init__(self, deadline: Deadline, scope: CancelScope, *, tail: bool = False) -> None:
        self._deadline = deadline
        self._scope = scope
        self._tail_allowed = tail
        self._changed = threading.Condition()
        self._front = bytearray()
        self._tail = bytearray()
        self._tail_start: int | None = None
        self._size: int | None = None
        self._ended = False
        self._error: ChallengeError | None = None
        self.waited_s = 0.0
        scope.on_cancel(self._wake)

    # -- feeding ------------------------------------------------------------------------------------

    @property
    def received(self) -> int:
        """Bytes of the front part."""
        return len(self._front)

    @property
    def size(self) -> int | None:
        """Length of the whole resource, as soon as it is known."""
        return self._size

    @property
    def ended(self) -> bool:
        """Whether the front part is complete."""
        return self._ended

    @property
    def tail_wanted(self) -> int | None:
        """Offset of the tail that a reader waits for, as long as none of it has come."""
        return None if self._tail else self._tail_start

    def set_size(self, size: int) -> None:
        """Say how long the resource is."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def feed(self, data: bytes) -> None:
        """Append to the front part."""
        with self._changed:
            self._front += data
            self._changed.notify_all()

    def feed_tail(self, data: bytes) -> None:
        """Append to the tail."""
        with self._changed:
            self._tail += data
            self._changed.notify_all()

    def tail_unavailable(self) -> None:
        """Say that no tail will come; readers wait for the front part instead."""
        with self._changed:
            self._tail_start = None
            self._tail.clear()
            self._tail_allowed = False
            self._changed.notify_all()

    def finish(self) -> None:
        """Say that the front part is complete."""
        with self._changed:
            self._ended = True
            if self._size is None:
                self._size = len(self._front)
            self._changed.notify_all()

    def fail(self, error: ChallengeError) -> None:
        """Give readers an error once they need bytes that are not there."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # -- reading ------------------------------------------------------------------------------------

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, or fewer where the resource ends; waits for them.

        Raises:
            ChallengeError: The feeder's error, `Cancelled`, or `DeadlineExceeded`.
        """
        with self._changed:
            while True:
                found = self._available(offset, length)
                if found is not None:
                    return found
                self._wait_for_more(offset)

    def read_some(self, offset: int, most: int) -> bytes:
        """What there is from `offset`, at least one byte unless the resource ends there; waits for it."""
        with self._changed:
            while True:
                found = self._available(offset, 1)
                if found is not None:
                    if offset < len(self._front):
                        return bytes(self._front[offset : offset + most])
                    start = offset - (self._tail_start or 0)
                    return bytes(self._tail[start : start + most]) if found else b""
                self._wait_for_more(offset)

    def wait_for(self, received: int, timeout: float) -> None:
        """Wait until the front part has that many bytes or is complete, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._front) >= received or self._ended or self._error or self._scope.cancelled,
                self._deadline.bound(timeout),
            )

    def wait_complete(self) -> None:
        """Wait for the last byte of the front part.

        Raises:
            ChallengeError: As `read_at`.
        """
        with self._changed:
            while not self._ended:
                self._wait_for_more(len(self._front))

    def _available(self, offset: int, length: int) -> bytes | None:
        end = offset + length
        if end <= len(self._front):
            return bytes(self._front[offset:end])
        if self._tail_start is not None and offset >= self._tail_start:
            start = offset - self._tail_start
            whole = self._size is not None and self._tail_start + len(self._tail) >= self._size
            if end <= self._tail_start + len(self._tail) or whole:
                return bytes(self._tail[start : start + length])
        if self._ended:
            return bytes(self._front[offset:end])
        if self._size is not None and offset >= self._size:
            return b""
        return None

    def _wait_for_more(self, offset: int) -> None:
        if self._scope.cancelled:
            self._scope.check("download")
        if self._error is not None:
            raise self._error
        self._deadline.check("download")
        if self._tail_allowed and self._tail_start is None and self._is_far(offset):
            self._tail_start = offset
        started = time.perf_counter()
        self._changed.wait(self._deadline.bound(1.0))
        self.waited_s += time.perf_counter() - started

    def _is_far(self, offset: int) -> bool:
        return self._size is not None and offset > len(self._front) + FAR_AHEAD
