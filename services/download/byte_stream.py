"""A body that grows and can be read, anywhere, while it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from services.byte_span import Span
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.segments import Segments
from services.errors import ChallengeError

FAR_AHEAD = 512 * 1024
"""Demuxers make many small forward jumps; only a longer one is worth a request of its own."""


class ByteStream:
    """Bytes of one resource, whose parts may arrive in any order.

    Any number of threads feed and read. Every wait ends with the bytes, the end of the resource, the
    feeders' error, the cancel, or the deadline.

    A reader that waits for bytes which nothing under way will bring soon makes `wanted` name them, for a
    feeder to fetch.

    Args:
        deadline: Bounds every wait.
        scope: Its cancel ends every wait.
        jumps: Whether parts can be fetched out of order.

    Attributes:
        waited_s: Seconds that readers have waited for bytes.
    """

    def __init__(self, deadline: Deadline, scope: CancelScope, *, jumps: bool = False) -> None:
        self._deadline = deadline
        self._scope = scope
        self._jumps = jumps
        self._changed = threading.Condition()
        self._called = threading.Event()
        self._needed: Sequence[Span] | None = None
        self._there = Segments()
        self._released = 0
        self._body_at = 0
        self._expected: list[Span] = []
        self._expected_suffix = 0
        self._wanted: Span | None = None
        self._size: int | None = None
        self._ended = False
        self._error: ChallengeError | None = None
        self.waited_s = 0.0
        scope.on_cancel(self._wake)

    # -- feeding ------------------------------------------------------------------------------------

    @property
    def received(self) -> int:
        """Bytes that are there, or were, from the beginning without a gap."""
        with self._changed:
            return self._front()

    @property
    def size(self) -> int | None:
        """Length of the whole resource, as soon as it is known."""
        return self._size

    @property
    def ended(self) -> bool:
        """Whether everything is there."""
        return self._ended

    @property
    def wanted(self) -> Span | None:
        """What a reader waits for and nothing under way will bring soon."""
        return self._wanted

    def wait_until_called(self, timeout: float) -> None:
        """For a feeder: wait until a reader sets `wanted`, another feeder calls, or the cancel."""
        self._called.wait(self._deadline.bound(timeout))
        self._called.clear()

    def call_feeder(self) -> None:
        """Wake the feeder that waits to be called."""
        self._called.set()

    def end_at(self, offset: int) -> int:
        """Where the bytes that are there, or were, from an offset on without a gap end."""
        with self._changed:
            return self._there.end_at(max(offset, self._released))

    def missing(self) -> Span:
        """The first gap in what is needed; empty, at the end, when there is none."""
        with self._changed:
            for needed in self._needed or (Span(0, None),):
                start = self._there.end_at(max(needed.start, self._released))
                if needed.stop is None or start < needed.stop:
                    ends = (self._there.next_start(start), self._size, needed.stop)
                    return Span(start, min((end for end in ends if end is not None), default=None))
            return Span(start, start)

    def need_only(self, spans: Sequence[Span]) -> None:
        """Say that readers need nothing but these spans, rising and apart from each other; at least one."""
        with self._changed:
            self._needed = spans

    def set_size(self, size: int) -> None:
        """Say how long the resource is."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def expect(self, span: Span) -> None:
        """Say that these bytes are under way, so that nobody else fetches them."""
        with self._changed:
            self._expected.append(span)
            if self._wanted is not None and self._wanted.start in span:
                self._wanted = None

    def expect_suffix(self, length: int) -> None:
        """Say that the last bytes, counted from the end that may not be known yet, are under way."""
        with self._changed:
            self._expected_suffix = length

    def expect_no_more(self) -> None:
        """Say that what was expected and is not there will not come."""
        with self._changed:
            self._expected.clear()
            self._expected_suffix = 0
            self._changed.notify_all()

    def body_from(self, offset: int) -> None:
        """Say where the body arrives now."""
        with self._changed:
            self._body_at = offset
            self._changed.notify_all()

    def feed_body(self, data: bytes) -> None:
        """Append to the body where it arrives."""
        with self._changed:
            self._put(self._body_at, data)
            self._body_at += len(data)
            self._changed.notify_all()

    def feed(self, offset: int, data: bytes) -> None:
        """Put in bytes from anywhere."""
        with self._changed:
            self._put(offset, data)
            if self._wanted is not None and offset in self._wanted:
                self._wanted = None
            self._changed.notify_all()

    def no_jumps(self) -> None:
        """Say that nothing can be fetched out of order; readers wait for the body instead."""
        with self._changed:
            self._wanted = None
            self._jumps = False
            self._changed.notify_all()

    def finish(self) -> None:
        """Say that everything is there."""
        with self._changed:
            self._ended = True
            if self._size is None:
                self._size = self._front()
            self._changed.notify_all()

    def fail(self, error: ChallengeError) -> None:
        """Give readers an error once they need bytes that are not there."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _put(self, offset: int, data: bytes) -> None:
        late = max(0, self._released - offset)
        if late < len(data):
            self._there.add(offset + late, data[late:])

    def _wake(self) -> None:
        self._called.set()
        with self._changed:
            self._changed.notify_all()

    # -- reading ------------------------------------------------------------------------------------

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, or fewer where the resource ends; waits for them.

        Raises:
            ChallengeError: The feeders' error, `Cancelled`, or `DeadlineExceeded`.
        """
        with self._changed:
            while not self._has(offset, length):
                self._wait_for_more(self._there.end_at(offset))
            return self._there.get(offset, length)

    def read_some(self, offset: int, most: int) -> bytes:
        """What there is from `offset`, at least one byte unless the resource ends there; waits for it."""
        with self._changed:
            while not self._has(offset, 1):
                self._wait_for_more(offset)
            return self._there.get(offset, most)

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        """Wait until those bytes, or all, are there, at most `timeout` seconds; it hurries nobody."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._has(offset, length) or self._error or self._scope.cancelled,
                self._deadline.bound(timeout),
            )

    def release(self, before: int) -> None:
        """Let go of what lies before an offset: no reader comes back to it."""
        with self._changed:
            self._released = max(self._released, before)
            self._there.forget(self._released)

    def wait_complete(self) -> None:
        """Wait for the last byte.

        Raises:
            ChallengeError: As `read_at`.
        """
        with self._changed:
            while not self._ended:
                self._wait_for_more(None)

    def _front(self) -> int:
        return self._there.end_at(self._released)

    def _has(self, offset: int, length: int) -> bool:
        if offset < self._released:
            raise ValueError(f"byte {offset} was released, up to {self._released}")
        end = offset + length
        if self._size is not None:
            end = min(end, self._size)
        return self._ended or end <= self._there.end_at(offset)

    def _wait_for_more(self, offset: int | None) -> None:
        if self._scope.cancelled:
            self._scope.check("download")
        if self._error is not None:
            raise self._error
        self._deadline.check("download")
        if offset is not None and self._jumps and self._wanted is None and not self._comes(offset):
            self._wanted = Span(offset, self._there.next_start(offset))
            self._called.set()
        started = time.perf_counter()
        self._changed.wait(self._deadline.bound(1.0))
        self.waited_s += time.perf_counter() - started

    def _comes(self, offset: int) -> bool:
        """Whether something under way brings that byte soon, as far as can be known."""
        if any(offset in span for span in self._expected):
            return True
        if self._size is None:
            return True
        if offset >= self._size - self._expected_suffix:
            return True
        return self._body_at <= offset <= self._body_at + FAR_AHEAD
