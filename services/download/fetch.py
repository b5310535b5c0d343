"""The thread that fills a `ByteStream`: over the extra lines where there are some, else from the pool.

The pool's connection, mostly HTTP/2, brings what the lines do not: all of the body where there are none, what
is missing when they fail, and what a reader waits for out of order. The latter is fetched by the same thread,
between two reads of the body: the HTTP/2 state of httpcore is not made for two threads, and what arrives of
the body meanwhile waits in its queue.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

from services.byte_span import Span
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.byte_stream import ByteStream
from services.download.exchange import Exchange
from services.download.pool import ConnectionPool
from services.download.ranges import RangeFetch
from services.errors import ChallengeError, SourceRejected, StreamStalled, TooLarge, TransportError
from services.settings import Settings
from services.timeline import Timeline

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
RESUMES = 6
"""How often a body that broke off is continued with a Range request, as long as each brings something."""
RESUME_AFTER = 256 * 1024
"""A second attempt that brings fewer bytes than this is the last: the origin is the trouble, not the line."""
POLL_S = 0.1


class Download:
    """One resource on its way: start it, read `stream` while it comes, cancel through the scope.

    Args:
        pool: Where connections come from.
        url: The resource.
        settings: Limits and time-outs.
        deadline: Bounds every wait.
        scope: Its cancel ends the thread and resets its HTTP/2 streams.
        timeline: Gets `connect`, `first_byte` and `download`, and facts about the connection.
        sparse: Whether `fetch_only` will name less than the whole: until then the lines fetch the head alone.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        url: str,
        settings: Settings,
        deadline: Deadline,
        scope: CancelScope,
        timeline: Timeline,
        *,
        sparse: bool = False,
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
        self._at = 0
        self._read = 0
        self._thread = threading.Thread(target=self._run, name="touchline-download", daemon=True)
        self.stream = ByteStream(deadline, scope, jumps=self._ranges)
        self._lines = RangeFetch(
            pool.lines, url, self.stream, deadline, scope, timeline, self._limit, hold=sparse
        )
        self._only = False
        self._over_lines = False

    def start(self) -> ByteStream:
        """Begin; gives the stream at once."""
        if self._ranges:
            self._over_lines = self._lines.start()
        self._thread.start()
        return self.stream

    def fetch_only(self, spans: Sequence[Span] | None) -> None:
        """Say which bytes are needed; a body that comes over a single connection comes whole all the same.

        Args:
            spans: Rising and apart from each other, at least one; None: all of them.
        """
        if self._over_lines and spans is not None:
            self._only = True
            self.stream.need_only(spans)
        self._lines.fetch_only(spans)

    def join(self, timeout: float) -> bool:
        """Wait for its threads to end; whether they did."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return self._lines.join(timeout) and not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._over_lines:
                self._stand_by()
            self._fetch_missing()
            while self._only and not self._scope.cancelled:
                # the rest is not there: should somebody need some of it after all, it is fetched
                self._fetch_wanted()
                self.stream.wait_until_called(POLL_S)
            self._scope.check("download")
            self.stream.finish()
        except ChallengeError as error:
            self.stream.fail(error)

    def _stand_by(self) -> None:
        """While the lines work: fetch what is wanted out of order, and take over when they fall silent."""
        while not (self._lines.ended or self._scope.cancelled):
            self._fetch_wanted()
            if self._lines.is_silent and self._takes_over():
                return
            self.stream.wait_until_called(POLL_S)

    def _takes_over(self) -> bool:
        """Ask over the pool's connection, too; whether it answers while the lines are still silent."""
        gap = self.stream.missing()
        last = None if gap.stop is None else gap.stop - 1
        asked = self._timeline.now()
        try:
            with self._pool.open(self._url, self._deadline, first_byte=gap.start, last_byte=last) as exchange:
                if not self._lines.is_silent:
                    return False
                self._lines.stop()
                self.stream.expect_no_more()
                self._timeline.count("takeovers")
                self._at = gap.start
                self._read_exchange(exchange, gap, asked, resumed=False)
        except TransportError:
            # it may be the whole way that is silent, and the lines are as likely to come back
            if not self._lines.ended and self._lines.silent_s < self._settings.stall_timeout_s:
                return False
            self._lines.stop()  # what is missing is asked for once more, and that error counts
        return True

    def _fetch_missing(self) -> None:
        for attempt in range(RESUMES + 1):
            before = self._read
            try:
                gap = self.stream.missing()
                while not (gap.is_empty or self._scope.cancelled):
                    self._read_gap(gap, resumed=attempt > 0)
                    if self.stream.size is None:
                        return  # its end was all that could tell how long it is
                    gap = self.stream.missing()
                return
            except StreamStalled:
                size = self.stream.size
                if size is not None and self._at >= size and self.stream.missing().is_empty:
                    return  # only the end mark was lost
                # the first time it may have been the connection
                resumable = self._ranges and (not attempt or self._read - before >= RESUME_AFTER)
                if self._scope.cancelled or attempt == RESUMES or not resumable:
                    raise
                self._timeline.count("resumes")

    def _read_gap(self, gap: Span, *, resumed: bool) -> None:
        """Read the first gap; to the end of the resource if that is where it ends."""
        asked = self._timeline.now()
        self._at = gap.start
        last = None if self._cut is None else self._cut - 1
        if gap.stop is not None and gap.stop != self.stream.size:
            last = gap.stop - 1
        with self._pool.open(self._url, self._deadline, first_byte=self._at, last_byte=last) as exchange:
            self._read_exchange(exchange, gap, asked, resumed=resumed)

    def _read_exchange(self, exchange: Exchange, gap: Span, asked: float, *, resumed: bool) -> None:
        head = self._timeline.now()
        self._timeline.add("connect", asked, asked + exchange.connect_s)
        self._timeline.add("first_byte", asked + exchange.connect_s, head)
        self._timeline.note(protocol=exchange.protocol, new_connection=exchange.connected)
        if exchange.connected:
            self._timeline.count("handshakes")
        if self._accept(exchange, resumed):
            self.stream.body_from(self._at)
            self._read_chunks(exchange, self._feed_body, head)
            if gap.stop is not None and self._at < gap.stop and not self._scope.cancelled:
                raise StreamStalled(f"the origin gave {self._at - gap.start} bytes from {gap.start}, not all")

    def _accept(self, exchange: Exchange, resumed: bool) -> bool:
        """Check status and length of the body's response; whether there is a body to read."""
        response = exchange.response
        span = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if response.status_code == 416 and self._at and span and span[3] != "*":
            self._check_size(int(span[3]))  # shorter than its head was taken to be
            return False
        if response.status_code not in (200, 206):
            raise SourceRejected(
                f"the origin answered {response.status_code} {response.reason_phrase} for the video".replace(
                    "  ", " "
                ),
                retryable=response.status_code in (408, 425, 429, 500, 502, 503, 504),
            )
        if self._at and response.status_code != 206:
            if resumed:
                raise StreamStalled("the origin broke off and does not continue where it stopped")
            self._pool.lines.refuse(self._url)
            self._at = 0
        if response.headers.get("accept-ranges", "").lower() == "none":
            self._ranges = False
            self.stream.no_jumps()
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        if response.status_code == 206 and span:
            if span[1] is None or int(span[1]) != self._at:
                raise StreamStalled(f"the origin sent bytes from {span[1]}, asked for {self._at}")
            total = int(span[2]) + 1 if self._cut is not None or span[3] == "*" else int(span[3])
        if total is not None:
            self._check_size(total)
        return True

    def _check_size(self, total: int) -> None:
        if total > self._limit:
            raise TooLarge(
                f"the video has {total} bytes; MAX_VIDEO_MB allows {self._limit}", stage="download"
            )
        if self._cut is not None:
            total = min(total, self._cut)
        if self.stream.size not in (None, total):
            raise SourceRejected(
                f"the video had {self.stream.size} bytes, then {total}: it changed while it was fetched",
                retryable=True,
            )
        self.stream.set_size(total)

    def _feed_body(self, chunk: bytes) -> None:
        self.stream.feed_body(chunk)
        self._at += len(chunk)
        self._read += len(chunk)
        self._fetch_wanted()

    def _fetch_wanted(self) -> None:
        wanted = self.stream.wanted
        if wanted is not None and self._ranges and not self._lines.holds:
            try:
                self._fetch_span(wanted)
            except ChallengeError:
                # the body brings the same bytes, or the gap is fetched behind it; that error counts
                self.stream.no_jumps()

    def _read_chunks(self, exchange: Exchange, feed: Callable[[bytes], None], head: float) -> None:
        read = 0
        self._scope.on_cancel(lambda: self._interrupt(exchange))
        for chunk in exchange.chunks(lambda: self._deadline.bound(self._settings.stall_timeout_s)):
            if self._scope.cancelled:
                return
            feed(chunk)
            read += len(chunk)
            if self._at > self._limit:
                raise TooLarge(
                    f"the video has more than {self._limit} bytes (MAX_VIDEO_MB)", stage="download"
                )
            if self._cut is not None and self._at >= self._cut:
                break
        self._timeline.add("download", head, self._timeline.now())
        self._timeline.count("bytes", read)

    def _fetch_span(self, span: Span) -> None:
        """Fetch a part out of order.

        Raises:
            ChallengeError: It cannot be had.
        """
        asked = self._timeline.now()
        last = None if span.stop is None else span.stop - 1
        with self._pool.open(self._url, self._deadline, first_byte=span.start, last_byte=last) as exchange:
            found = _CONTENT_RANGE.fullmatch(exchange.response.headers.get("content-range", ""))
            right = found is not None and found[1] is not None and int(found[1]) == span.start
            if exchange.response.status_code != 206 or not right:
                raise StreamStalled(f"the origin does not give the bytes from {span.start} by themselves")
            if exchange.connected:
                self._timeline.count("handshakes")
            self._timeline.count("jumps")
            at = span.start

            def feed(data: bytes) -> None:
                nonlocal at
                self.stream.feed(at, data)
                at += len(data)

            self._read_chunks(exchange, feed, asked)
        if last is not None and at <= last and not self._scope.cancelled:
            raise StreamStalled(f"the origin gave {at - span.start} bytes from {span.start}, not all")

    def _interrupt(self, exchange: Exchange) -> None:
        """At the cancel: end a read that is blocked; one that still gets bytes notices by itself."""
        if exchange.response.is_closed or self._thread is threading.current_thread():
            return
        self._thread.join(0.05)
        if self._thread.is_alive() and not exchange.response.is_closed:
            exchange.interrupt()
