"""The thread that fills a `ByteStream` from the pool.

The tail is fetched by the same thread, between two reads of the front: the HTTP/2 state of httpcore is not
made for two threads, and what arrives of the front meanwhile waits in its queue.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from services.cancel import CancelScope
from services.deadline import Deadline
from services.download.byte_stream import ByteStream
from services.download.exchange import Exchange
from services.download.pool import ConnectionPool
from services.errors import ChallengeError, SourceRejected, StreamStalled, TooLarge
from services.settings import Settings
from services.timeline import Timeline

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
RESUMES = 6
"""How often a body that broke off is continued with a Range request, as long as each brings something."""
RESUME_AFTER = 256 * 1024
"""An attempt that brought fewer bytes than this is not repeated: the origin is the trouble, not the line."""


class Download:
    """One resource on its way: start it, read `stream` while it comes, cancel through the scope.

    Args:
        pool: Where connections come from.
        url: The resource.
        settings: Limits and time-outs.
        deadline: Bounds every wait.
        scope: Its cancel ends the thread and resets its HTTP/2 streams.
        timeline: Gets `connect`, `first_byte` and `download`, and facts about the connection.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        url: str,
        settings: Settings,
        deadline: Deadline,
        scope: CancelScope,
        timeline: Timeline,
    ) -> None:
        self._pool = pool
        self._url = url
        self._settings = settings
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._limit = int(settings.max_video_mb * 1_000_000)
        self._cut = int(settings.partial_download_mb * 1_000_000) if settings.partial_download else None
        self._ranges = self._cut is None
        self._thread = threading.Thread(target=self._fetch_front, name="touchline-download", daemon=True)
        self.stream = ByteStream(deadline, scope, tail=self._ranges)

    def start(self) -> ByteStream:
        """Begin; gives the stream at once."""
        self._thread.start()
        return self.stream

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------------

    def _fetch_front(self) -> None:
        try:
            for attempt in range(RESUMES + 1):
                before = self.stream.received
                try:
                    self._read_front()
                    break
                except StreamStalled:
                    if self.stream.size is not None and self.stream.received >= self.stream.size:
                        break  # only the end mark was lost
                    resumable = self._ranges and self.stream.received - before >= RESUME_AFTER
                    if self._scope.cancelled or attempt == RESUMES or not resumable:
                        raise
                    self._timeline.count("resumes")
            self._scope.check("download")
            self.stream.finish()
        except ChallengeError as error:
            self.stream.fail(error)

    def _read_front(self) -> None:
        offset = self.stream.received
        asked = self._timeline.now()
        last = None if self._cut is None else self._cut - 1
        with self._pool.open(self._url, self._deadline, first_byte=offset, last_byte=last) as exchange:
            head = self._timeline.now()
            self._timeline.add("connect", asked, asked + exchange.connect_s)
            self._timeline.add("first_byte", asked + exchange.connect_s, head)
            self._timeline.note(protocol=exchange.protocol, new_connection=exchange.connected)
            if exchange.connected:
                self._timeline.count("handshakes")
            self._accept(exchange, offset)
            self._read_body(exchange, self._feed_front, head)

    def _accept(self, exchange: Exchange, offset: int) -> None:
        """Check status and length of the front part's response."""
        response = exchange.response
        if response.status_code not in (200, 206):
            raise SourceRejected(
                f"the origin answered {response.status_code} {response.reason_phrase} for the video".replace(
                    "  ", " "
                ),
                retryable=response.status_code in (408, 425, 429, 500, 502, 503, 504),
            )
        if offset and response.status_code != 206:
            raise StreamStalled("the origin broke off and does not continue where it stopped")
        if response.headers.get("accept-ranges", "").lower() == "none":
            self._ranges = False
            self.stream.tail_unavailable()
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        span = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if response.status_code == 206 and span:
            total = int(span[2]) + 1 if self._cut is not None or span[3] == "*" else int(span[3])
            if int(span[1]) != offset:
                raise StreamStalled(f"the origin sent bytes from {span[1]}, asked for {offset}")
        if total is not None:
            if total > self._limit:
                raise TooLarge(
                    f"the video has {total} bytes; MAX_VIDEO_MB allows {self._limit}", stage="download"
                )
            if self._cut is not None:
                total = min(total, self._cut)
            self.stream.set_size(total)

    def _feed_front(self, chunk: bytes) -> None:
        self.stream.feed(chunk)
        wanted = self.stream.tail_wanted
        if wanted is not None:
            self._fetch_tail(wanted)

    def _read_body(self, exchange: Exchange, feed: Callable[[bytes], None], head: float) -> None:
        read = 0
        self._scope.on_cancel(lambda: self._interrupt(exchange))
        for chunk in exchange.chunks(lambda: self._deadline.bound(self._settings.stall_timeout_s)):
            if self._scope.cancelled:
                return
            feed(chunk)
            read += len(chunk)
            if self.stream.received > self._limit:
                raise TooLarge(
                    f"the video has more than {self._limit} bytes (MAX_VIDEO_MB)", stage="download"
                )
            if self._cut is not None and self.stream.received >= self._cut:
                break
        self._timeline.add("download", head, self._timeline.now())
        self._timeline.count("bytes", read)

    def _fetch_tail(self, offset: int) -> None:
        asked = self._timeline.now()
        try:
            with self._pool.open(self._url, self._deadline, first_byte=offset) as exchange:
                span = _CONTENT_RANGE.fullmatch(exchange.response.headers.get("content-range", ""))
                if exchange.response.status_code != 206 or not span or int(span[1]) != offset:
                    self.stream.tail_unavailable()
                    return
                if exchange.connected:
                    self._timeline.count("handshakes")
                self._timeline.note(tail_request=True)
                self._read_body(exchange, self.stream.feed_tail, asked)
        except ChallengeError:
            # the front part brings the same bytes, only later; its own error counts
            self.stream.tail_unavailable()

    def _interrupt(self, exchange: Exchange) -> None:
        """At the cancel: end a read that is blocked; one that still gets bytes notices by itself."""
        if exchange.response.is_closed or self._thread is threading.current_thread():
            return
        self._thread.join(0.05)
        if self._thread.is_alive() and not exchange.response.is_closed:
            exchange.interrupt()
