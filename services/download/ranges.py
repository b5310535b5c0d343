"""A whole resource over several lines at once, in ranges.

A connection that was idle begins slowly: some 14 KB in its first round trip, twice that in the next, and so
on (RFC 6928, RFC 5681 section 4.1). Several begin that slowly side by side: an index and a first key frame,
some 100 KB, come in one round trip, and the link is full three round trips sooner. Each line is asked for
blocks ahead of what has come, so that it never waits for a request, and all work on the front of the file.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import h11

from services.byte_span import Span
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.blocks import PIECE, Blocks
from services.download.byte_stream import ByteStream
from services.download.line import Busy, Line, NoRange
from services.download.lines import Lines
from services.timeline import Timeline

AHEAD = 4
"""Requests that are out on each line."""
SUFFIX_PIECES = 2
"""Lines that begin with the end of the file, where an index may stand, when there are enough of them."""
LEAST = 6
HELD_PIECES = 8
"""Pieces of the front that are enough to find the index in, where few bytes are wanted."""
UNKNOWN_ROUND_TRIP_S = 0.25
"""Taken until the first answer tells: lines that were never touched since they were opened."""
POLL_S = 0.05
HOLD_POLL_S = 0.005
BEYOND = 1 << 62
SILENCE_S = 0.3
SILENCE_ROUND_TRIPS = 4.0
LONGEST_SILENCE_S = 5.0
PAUSE_S = 0.03
PAUSE_ROUND_TRIPS = 1.5
"""A longer pause between two answers is no matter of the window: the origin needs time for each request."""
PAUSES = 3


class _Task:
    """A line and what it was asked for."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.asked: deque[Span | None] = deque()
        """None: a piece of the end, whose place is not known when it is asked for."""
        self.heard = time.monotonic()


class RangeFetch:
    """Feeds a stream over lines; whatever they cannot bring, the pool's connection does.

    Args:
        lines: Where connections are borrowed; given back at the end.
        url: The resource.
        stream: Gets the bytes; told what to expect.
        deadline: Bounds the wait.
        scope: Its cancel ends it.
        timeline: Gets `connect`, `first_byte` and `download`, and `lines`: those that lasted, of those asked.
        limit: Largest resource that is accepted, bytes.
        hold: Whether only head and end are fetched until `fetch_only` says what of the rest is needed.
    """

    def __init__(
        self,
        lines: Lines,
        url: str,
        stream: ByteStream,
        deadline: Deadline,
        scope: CancelScope,
        timeline: Timeline,
        limit: int,
        *,
        hold: bool = False,
    ) -> None:
        self._lines = lines
        self._url = url
        self._stream = stream
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._limit = limit
        self._held = ExitStack()
        self._tasks: list[_Task] = []
        self._target = "/"
        self._count = 0
        self._suffix = 0
        self._selector = selectors.DefaultSelector()
        self._blocks = Blocks(1)
        self._measures = False
        self._hold = hold
        self._only: Sequence[Span] | None = None
        self._told = threading.Event()
        self._identity: tuple[int, str] | None = None
        self._stopped = False
        self._refused = False
        self._crowded = False
        self._begun = 0.0
        self._first: float | None = None
        self._heard = time.monotonic()
        self.patience_s = SILENCE_S
        self._longest_pause_s = PAUSE_S
        self._pauses = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        """Send the first requests and begin to listen; whether there are lines for it."""
        lines, round_trip_s = self._held.enter_context(self._lines.borrow(self._url))
        parts = urlsplit(self._url)
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._begun = self._timeline.now()
        self._tasks = [_Task(line) for line in lines]
        for task in self._tasks:
            self._selector.register(task.line.socket, selectors.EVENT_READ, task)
        self._count = len(lines)
        self._blocks = Blocks(len(lines))
        self._know_round_trip(round_trip_s or UNKNOWN_ROUND_TRIP_S)
        self._measures = not round_trip_s
        self._ask_for_head()
        if self._hold:
            # a reader that waits for more than the head has to say so
            self._stream.body_from(BEYOND)
        self._ask_for_more()
        if not self._tasks:
            self._selector.close()
            self._held.close()
            self._ended.set()
            return False
        # made here: a thread that never runs would keep itself, and the body, alive in a cycle
        self._thread = threading.Thread(target=self._run, name="touchline-ranges", daemon=True)
        self._thread.start()
        return True

    def _know_round_trip(self, seconds: float) -> None:
        self._blocks.know_round_trip(seconds)
        self.patience_s = max(SILENCE_S, SILENCE_ROUND_TRIPS * seconds)
        self._longest_pause_s = PAUSE_S + PAUSE_ROUND_TRIPS * seconds

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self._ended.is_set()

    @property
    def silent_s(self) -> float:
        """Seconds for which nothing has come that was asked for."""
        waits = any(task.line.unanswered for task in tuple(self._tasks))
        return time.monotonic() - self._heard if waits and not self.ended else 0.0

    @property
    def is_silent(self) -> bool:
        """Whether all lines have been silent for longer than a working one is."""
        return self.silent_s > self.patience_s

    @property
    def holds(self) -> bool:
        """Whether it waits to be told what is needed."""
        return self._hold and not self.ended

    def fetch_only(self, spans: Sequence[Span] | None) -> None:
        """Say what is needed, rising and apart from each other; None: all of it."""
        self._only = spans
        self._told.set()

    def stop(self) -> None:
        """Give up: something else fetches the rest."""
        self._stopped = True

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- asking -------------------------------------------------------------------------------------

    def _ask_for_head(self) -> None:
        """One small piece from each line, of the front and of the end."""
        suffixes = SUFFIX_PIECES if len(self._tasks) >= LEAST else 0
        front = len(self._tasks) - suffixes
        if self._hold:
            front = min(front, HELD_PIECES)
        asked = 0
        for task in list(self._tasks):
            if asked == front + suffixes:
                break
            # a line that turns out to be dead leaves no gap: what it was to bring the next one is asked for
            if asked < front:
                asked += self._ask_for_block(task)
            elif self._ask(task, None, f"bytes=-{(asked - front + 1) * PIECE}"):
                asked += 1
        self._suffix = max(0, asked - front) * PIECE
        self._stream.expect_suffix(self._suffix)

    def _ask_for_more(self) -> None:
        """Every line has some requests ahead of it; those with the fewest are served first."""
        if self._hold:
            return
        for depth in range(1, AHEAD):
            for task in list(self._tasks):
                if self._blocks.left and task.line.unanswered <= depth:
                    self._ask_for_block(task)

    def _ask_for_block(self, task: _Task) -> bool:
        span = self._blocks.take()
        if span is None:
            return False
        last = "" if span.stop is None else str(span.stop - 1)
        if not self._ask(task, span, f"bytes={span.start}-{last}"):
            return False
        self._stream.expect(span)
        self._stream.body_from(self._blocks.next_offset or span.start)
        return True

    def _ask(self, task: _Task, span: Span | None, wanted: str) -> bool:
        if not task.asked:
            task.heard = time.monotonic()
        task.asked.append(span)
        try:
            task.line.send("GET", self._target, wanted)
        except (OSError, h11.ProtocolError):
            self._lose(task)
            return False
        return True

    def _lose(self, task: _Task) -> None:
        """A line is gone; others bring what it was asked for."""
        self._tasks.remove(task)
        self._selector.unregister(task.line.socket)
        task.line.close()
        for span in task.asked:
            if span is not None:
                self._blocks.give_back(Span(self._stream.end_at(span.start), span.stop))
        task.asked.clear()

    # -- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._goes_on():
                for key, _ in self._selector.select(POLL_S if not self._hold else HOLD_POLL_S):
                    self._serve(key.data)
                for task in self._hung():
                    self._lose(task)
                self._obey()
                self._ask_for_more()
        finally:
            self._end()

    def _goes_on(self) -> bool:
        if self._stopped or self._refused or self._scope.cancelled or self._deadline.remaining() <= 0:
            return False
        return bool(self._tasks) and (
            self._hold or self._blocks.left or any(task.line.unanswered for task in self._tasks)
        )

    def _serve(self, task: _Task) -> None:
        # also a part of a TLS record, which gives no bytes yet, is a sign of life
        now = time.monotonic()
        if self._measures:
            self._measures = False
            self._know_round_trip(now - task.heard)
        # a silence that ended by itself was none of a connection that hangs
        self.patience_s = min(max(self.patience_s, 2 * (now - task.heard)), LONGEST_SILENCE_S)
        task.heard = self._heard = now
        try:
            for _ in range(task.line.receive(lambda at, data: self._take(task.line, at, data))):
                task.asked.popleft()
                self._pauses += task.line.pause_s > self._longest_pause_s
                if self._pauses == PAUSES:
                    self._blocks.widen()
        except (OSError, h11.ProtocolError) as error:
            self._refused |= isinstance(error, NoRange)
            self._crowded |= isinstance(error, Busy)
            self._lose(task)

    def _take(self, line: Line, offset: int, data: bytes) -> None:
        if self._identity is None:
            if line.total > self._limit:
                raise OSError("the resource is too long")  # the pool's connection says so
            self._first = self._timeline.now()
            self._identity = (line.total, line.tag)
            self._stream.set_size(line.total)
            self._blocks.end_at(max(0, line.total - self._suffix))
        elif self._identity != (line.total, line.tag):
            raise NoRange("the pieces are not of one file")
        self._timeline.count("bytes", len(data))
        self._stream.feed(offset, data)

    def _hung(self) -> list[_Task]:
        """Lines that are silent while others are not, or have nothing left to do."""
        latest = time.monotonic() - self.patience_s
        silent = [task for task in self._tasks if task.line.unanswered and task.heard < latest]
        return silent if len(silent) < len(self._tasks) else []

    def _obey(self) -> None:
        """Leave out what is not needed; where the head is not enough to tell, hold back no longer."""
        if self._told.is_set():
            self._told.clear()
            self._hold = False
            if self._only is not None:
                self._blocks.keep(self._only)
        elif self._hold and self._stream.wanted is not None:
            self._hold = False

    def _end(self) -> None:
        lasted = len(self._tasks)
        for task in self._tasks:
            if task.line.unanswered:
                task.line.close()
        self._selector.close()
        if self._refused:
            self._lines.refuse(self._url)
        elif self._crowded and lasted:
            self._lines.limit(self._url, lasted)
        elif self._stopped or not self._scope.cancelled:
            self._lines.learn(self._url, worked=lasted > 0 and not self._stopped)
        self._held.close()
        self._stream.expect_no_more()
        now = self._timeline.now()
        if self._first is not None:
            self._timeline.add("connect", self._begun, self._begun)
            self._timeline.add("first_byte", self._begun, self._first)
            self._timeline.add("download", self._first, now)
            self._timeline.note(protocol="HTTP/1.1", new_connection=False)
        self._timeline.note(lines=f"{lasted}/{self._count}")
        self._ended.set()
        self._stream.call_feeder()
