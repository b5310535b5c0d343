"""A body that can be read from any offset while it is still arriving."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.resource_version import ResourceVersion
from services.download.segments import Segments
from services.errors import TooLarge

FAR_AHEAD: Final = 512 * 1024
"""Bytes. Demuxers make many small forward seeks; only a longer one is worth a request of its own."""
REPEATED_SHARE: Final = 8
"""One part in so many of the longest resource accepted may arrive twice: what hanging connections had ..."""
REPEATED_BYTES: Final = 1_000_000
"""... been asked for, and this much always."""


class ByteStream:
    """Bytes of one resource, whose parts may arrive in any order.

    Any number of threads feed and read. Every wait ends with the bytes, the end of the resource, the
    feeders' error, the cancel, or the deadline.

    A reader that waits for bytes which nothing under way will bring soon puts them into `requested`, so that
    a feeder fetches them out of order.

    Args:
        deadline: Bounds every wait.
        scope: Its cancel ends every wait.
        out_of_order: Whether parts can be fetched out of order.
        max_bytes: Length of the longest resource that is accepted (MAX_VIDEO_MB); None: any.
    """

    def __init__(
        self,
        deadline: Deadline,
        scope: CancelScope,
        *,
        out_of_order: bool = False,
        max_bytes: int | None = None,
    ) -> None:
        self._deadline = deadline
        self._scope = scope
        self._out_of_order = out_of_order
        self._max_bytes = max_bytes
        self._received = 0
        self._version: ResourceVersion | None = None
        self._changed = threading.Condition()
        self._called = threading.Event()
        self._needed: Sequence[ByteSpan] | None = None
        self._segments = Segments()
        self._released = 0
        self._body_at = 0
        self._expected: list[ByteSpan] = []
        self._expected_suffix = 0
        self._requested: ByteSpan | None = None
        self._size: int | None = None
        self._ended = False
        self._error: Exception | None = None
        scope.on_cancel(self._wake)

    # -- feeding ------------------------------------------------------------------------------------

    @property
    def size(self) -> int | None:
        """Length of the whole resource, as soon as it is known."""
        return self._size

    @property
    def requested(self) -> ByteSpan | None:
        """Bytes that a reader waits for and nothing under way will bring soon."""
        return self._requested

    def wait_for_feeder_call(self, timeout: float) -> None:
        """For a feeder: wait up to `timeout` seconds for a request, another feeder's call, or the cancel."""
        self._called.wait(self._deadline.bound(timeout))
        self._called.clear()

    def wake_feeder(self) -> None:
        """Wake the feeder that waits to be called."""
        self._called.set()

    def end_at(self, offset: int) -> int:
        """Where the bytes that have arrived from an offset on, without a gap, end."""
        with self._changed:
            return self._segments.end_at(max(offset, self._released))

    def missing(self) -> ByteSpan:
        """The first gap in the needed bytes; an empty span at their end when there is none."""
        with self._changed:
            for needed in self._needed or (ByteSpan(0, None),):
                start = self._segments.end_at(max(needed.start, self._released))
                if needed.stop is None or start < needed.stop:
                    ends = (self._segments.next_start(start), self._size, needed.stop)
                    return ByteSpan(start, min((end for end in ends if end is not None), default=None))
            return ByteSpan(start, start)

    def restrict_to(self, spans: Sequence[ByteSpan]) -> None:
        """Readers need these spans only: rising and apart from each other; at least one.

        Where nothing can be fetched out of order everything stays needed.
        """
        with self._changed:
            if self._out_of_order:
                self._needed = spans
                self._changed.notify_all()

    @property
    def is_restricted(self) -> bool:
        """Whether readers need a part only; what else they ask for has to be fetched out of order."""
        return self._needed is not None

    def set_size(self, size: int) -> None:
        """Set the length of the resource in bytes."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    @property
    def validator(self) -> str:
        """Value for `If-Range` of further requests; empty while it is not known, or when there is none."""
        return "" if self._version is None else self._version.validator

    def check_version(self, version: ResourceVersion) -> None:
        """Compare the version that a response belongs to with that of the first one.

        Raises:
            SourceChanged: It is another one.
            TooLarge: The resource is longer than what is accepted.
        """
        with self._changed:
            self._version = version if self._version is None else self._version.joined_with(version)
        if self._max_bytes is not None and (version.size or 0) > self._max_bytes:
            raise TooLarge(
                f"the video has {version.size} bytes; MAX_VIDEO_MB allows {self._max_bytes}", stage="download"
            )

    def expect(self, span: ByteSpan) -> None:
        """These bytes are under way, so nobody else has to fetch them."""
        with self._changed:
            self._expected.append(span)
            if self._requested is not None and self._requested.start in span:
                self._requested = None

    def expect_suffix(self, length: int) -> None:
        """The last `length` bytes are under way; where the resource ends need not be known yet."""
        with self._changed:
            self._expected_suffix = length
            self._changed.notify_all()

    def expect_no_more(self) -> None:
        """What was expected and has not arrived will not come."""
        with self._changed:
            self._expected.clear()
            self._expected_suffix = 0
            self._changed.notify_all()

    def expect_body_at(self, offset: int) -> None:
        """The body arrives at this offset from now on, so readers need not ask for what follows soon."""
        with self._changed:
            self._body_at = offset
            self._changed.notify_all()

    def feed_body(self, offset: int, data: bytes) -> None:
        """Put in bytes of the body, which goes on behind them.

        Raises:
            TooLarge: As `feed`.
        """
        with self._changed:
            self._put(offset, data)
            self._body_at = offset + len(data)
            self._changed.notify_all()

    def feed(self, offset: int, data: bytes) -> None:
        """Put in bytes of any offset.

        Raises:
            TooLarge: More bytes have come than a resource of `max_bytes` explains.
        """
        with self._changed:
            self._put(offset, data)
            if self._requested is not None and offset in self._requested:
                self._requested = None
            self._changed.notify_all()

    def disable_out_of_order(self) -> None:
        """Nothing can be fetched out of order from now on; readers wait for the body instead, all of it."""
        with self._changed:
            self._requested = self._needed = None
            self._out_of_order = False
            self._changed.notify_all()

    def finish(self) -> None:
        """Everything has arrived."""
        with self._changed:
            self._ended = True
            if self._size is None:
                self._size = self._front()
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Give readers an error once they need bytes that are not there."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _put(self, offset: int, data: bytes) -> None:
        self._received += len(data)
        if self._max_bytes is not None:
            repeated = self._max_bytes // REPEATED_SHARE + REPEATED_BYTES
            if offset + len(data) > self._max_bytes or self._received > self._max_bytes + repeated:
                raise TooLarge(
                    f"the origin sent more than {self._max_bytes} bytes (MAX_VIDEO_MB)", stage="download"
                )
        released = max(0, self._released - offset)
        if released < len(data):
            self._segments.add(offset + released, data[released:])

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
                self._wait_for_more(self._segments.end_at(offset))
            return self._segments.get(offset, length)

    def read_some(self, offset: int, maximum: int) -> bytes:
        """What has arrived from `offset`; waits for one byte at least, unless the resource ends there."""
        with self._changed:
            while not self._has(offset, 1):
                self._wait_for_more(offset)
            return self._segments.get(offset, maximum)

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        """Wait up to `timeout` seconds until those bytes have arrived; nothing is requested for it."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._has(offset, length) or self._error or self._scope.cancelled,
                self._deadline.bound(timeout),
            )

    def fetches(self, offset: int, length: int) -> bool:
        """Whether those bytes are downloaded even if no reader waits for them."""
        with self._changed:
            needed = self._needed
        return needed is None or any(
            span.start <= offset and (span.stop is None or offset + length <= span.stop) for span in needed
        )

    def release(self, before: int) -> None:
        """Free the bytes before an offset, to which no reader comes back."""
        with self._changed:
            self._released = max(self._released, before)
            self._segments.forget(self._released)

    def wait_complete(self) -> None:
        """Wait for the last byte.

        Raises:
            ChallengeError: As `read_at`.
        """
        with self._changed:
            while not self._ended:
                self._wait_for_more(None)

    def _front(self) -> int:
        return self._segments.end_at(self._released)

    def _has(self, offset: int, length: int) -> bool:
        if offset < self._released:
            raise ValueError(f"byte {offset} was released, up to {self._released}")
        end = offset + length
        if self._size is not None:
            end = min(end, self._size)
        return self._ended or end <= self._segments.end_at(offset)

    def _wait_for_more(self, offset: int | None) -> None:
        if self._scope.cancelled:
            self._scope.check("download")
        if self._error is not None:
            raise self._error
        self._deadline.check("download")
        if (
            offset is not None
            and self._out_of_order
            and self._requested is None
            and not self._is_under_way(offset)
        ):
            self._requested = ByteSpan(offset, self._segments.next_start(offset))
            self._called.set()
        self._changed.wait(self._deadline.bound(1.0))

    def _is_under_way(self, offset: int) -> bool:
        """Whether something under way brings that byte soon, as far as is known."""
        if any(offset in span for span in self._expected):
            return True
        if self._size is None:
            return True
        if offset >= self._size - self._expected_suffix:
            return True
        if self._needed is not None and not any(offset in span for span in self._needed):
            return False
        return self._body_at <= offset <= self._body_at + FAR_AHEAD
