"""The first bytes of a video over several lines at once, and its last ones, where an index may stand."""

from __future__ import annotations

import selectors
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import h11

from services.cancel import CancelScope
from services.deadline import Deadline
from services.download.byte_stream import ByteStream, Span
from services.download.line import Line, NoRange
from services.download.lines import Lines
from services.timeline import Timeline

PIECE = 13_500
"""With its headers, what a connection that was idle sends in its first round trip."""
SUFFIX_PIECES = 2
"""Lines that fetch the end of the file, when there are enough of them."""
LEAST = 6
POLL_S = 0.05


class HeadFetch:
    """Feeds a stream with a file's head and tail; whatever it cannot bring, the body's connection does.

    Args:
        lines: Where connections are borrowed; given back when everything has come.
        url: The resource.
        stream: Gets the bytes; told what to expect.
        deadline: Bounds the wait.
        scope: Its cancel ends it.
        timeline: Gets the stage `head`, and `head_pieces`: those that came and those asked for.
        limit: Largest resource that is accepted, bytes.
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
    ) -> None:
        self._lines = lines
        self._url = url
        self._stream = stream
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._limit = limit
        self._held = ExitStack()
        self._waiting: list[Line] = []
        self._asked = self._came = 0
        self._identity: tuple[int, str] | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Send the requests and begin to listen; the offset from which the body has to be fetched."""
        lines = self._held.enter_context(self._lines.borrow(self._url))
        suffixes = SUFFIX_PIECES if len(lines) >= LEAST else 0
        front = len(lines) - suffixes
        ranges = [f"bytes={n * PIECE}-{(n + 1) * PIECE - 1}" for n in range(front)]
        ranges += [f"bytes=-{n * PIECE}" for n in range(1, suffixes + 1)]
        parts = urlsplit(self._url)
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        # a line that turns out to be dead must not leave a gap in the middle: what it was to bring is asked
        # for on the next one, and the last pieces are left out
        for line in lines:
            try:
                line.send("GET", target, ranges[self._asked])
            except (OSError, h11.ProtocolError):
                line.close()
                continue
            self._waiting.append(line)
            self._asked += 1
        stop = min(self._asked, front) * PIECE
        if not self._waiting:
            self._held.close()
            self._ended.set()
            return 0
        self._stream.expect(Span(0, stop))
        self._stream.expect_suffix(max(0, self._asked - front) * PIECE)
        # made here: a thread that never runs would keep itself, and the body, alive in a cycle
        self._thread = threading.Thread(target=self._run, name="touchline-head", daemon=True)
        self._thread.start()
        return stop

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        return self._ended.wait(self._deadline.bound(seconds))

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        begin = self._timeline.now()
        refused = False
        try:
            with selectors.DefaultSelector() as selector:
                for line in self._waiting:
                    selector.register(line.socket, selectors.EVENT_READ, line)
                while self._waiting and not self._scope.cancelled and self._deadline.remaining() > 0:
                    for key, _ in selector.select(POLL_S):
                        line = key.data
                        try:
                            if not line.receive(lambda at, data, line=line: self._take(line, at, data)):
                                continue
                            self._came += 1
                        except (OSError, h11.ProtocolError) as error:
                            refused |= isinstance(error, NoRange)
                            selector.unregister(key.fileobj)
                            line.close()
                            self._waiting.remove(line)
                            continue
                        selector.unregister(key.fileobj)
                        self._waiting.remove(line)
        finally:
            for line in self._waiting:
                line.close()
            if refused:
                self._lines.refuse(self._url)
            self._held.close()
            self._stream.expect_no_more()
            self._timeline.add("head", begin, self._timeline.now())
            self._timeline.note(head_pieces=f"{self._came}/{self._asked}")
            self._ended.set()

    def _take(self, line: Line, offset: int, data: bytes) -> None:
        if self._identity is None:
            if line.total > self._limit:
                raise OSError("the resource is too long")  # the body's connection says so
            self._identity = (line.total, line.tag)
            self._stream.set_size(line.total)
        elif self._identity != (line.total, line.tag):
            raise NoRange("the pieces are not of one file")
        self._timeline.count("bytes", len(data))
        self._stream.feed(offset, data)
