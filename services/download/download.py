"""One resource on its way into a `ByteStream`: a state machine over range connections and the pool.

The states, who moves between them, and what happens on each fault are drawn in docs/concepts/download.md.
The pool's connection, mostly HTTP/2, brings what the range connections do not. Out-of-order reads are fetched
by the same thread, between two reads of the body: the HTTP/2 state of httpcore is not made for two threads,
and what arrives of the body meanwhile waits in its queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Final

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.backoff import Backoff
from services.download.body_head import BodyHead, read_body_head
from services.download.byte_stream import ByteStream
from services.download.connection_stages import note_connection
from services.download.exchange import Exchange
from services.download.pool import ConnectionPool
from services.download.range_fetch import RangeFetch
from services.errors import (
    ChallengeError,
    ConnectFailed,
    SourceChanged,
    SourceRejected,
    StreamStalled,
    TooLarge,
    TransportError,
)
from services.settings import Settings
from services.timeline import Timeline

MAX_RESUMES: Final = 6
"""How often a body that broke off is continued with a Range request, as long as each brings something."""
MIN_RESUME_BYTES: Final = 256 * 1024
"""A resumed body that brings fewer bytes than this is the last: the origin is the trouble, not the link."""
POLL_S: Final = 0.1
"""Seconds between two checks of the range connections; a reader that waits ends the pause."""


class State(Enum):
    """What a download does; the values are what log lines call it."""

    NEW = "new"
    RANGES = "range connections fetch"
    TAKEOVER = "the pool takes over"
    GAPS = "the pool fetches what is missing"
    BACKOFF = "the origin refuses for a moment"
    ON_REQUEST = "only out-of-order reads are fetched"
    COMPLETE = "complete"
    FAILED = "failed"


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.NEW: frozenset({State.RANGES, State.GAPS}),
    State.RANGES: frozenset({State.TAKEOVER, State.GAPS, State.FAILED}),
    State.TAKEOVER: frozenset({State.RANGES, State.GAPS, State.FAILED}),
    State.GAPS: frozenset({State.BACKOFF, State.ON_REQUEST, State.COMPLETE, State.FAILED}),
    State.BACKOFF: frozenset({State.GAPS, State.FAILED}),
    State.ON_REQUEST: frozenset({State.GAPS, State.FAILED}),
    State.COMPLETE: frozenset(),
    State.FAILED: frozenset(),
}
"""The states that may follow each state. The download's own thread makes all transitions but the first."""


class Download:
    """Downloads one resource: start it, read `stream` while it arrives, cancel through the scope.

    Args:
        pool: Where connections come from.
        url: The resource.
        settings: Limits and time-outs.
        deadline: Bounds every wait.
        scope: Its cancel ends the thread and resets its HTTP/2 streams.
        timeline: Gets `connect`, `first_byte` and `download`, and facts about the connection.
        sparse: Whether `restrict_to` will name less than the whole: until then only the head is fetched.
        use_range_connections: False for a single connection, whose bytes cannot be of several versions.

    Attributes:
        stream: The bytes.
        state: What the download does now.
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
        use_range_connections: bool = True,
    ) -> None:
        self._pool = pool
        self._url = url
        self._settings = settings
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._partial_bytes = (
            int(settings.partial_download_mb * 1_000_000) if settings.partial_download else None
        )
        self._may_use_ranges = self._partial_bytes is None
        self._use_range_connections = self._may_use_ranges and use_range_connections
        self._position = 0
        """Offset of the next byte of the body that the pool's connection reads."""
        self._body_bytes = 0
        self._has_ranges = False
        self.state = State.NEW
        self.stream = ByteStream(
            deadline,
            scope,
            out_of_order=self._may_use_ranges,
            max_bytes=int(settings.max_video_mb * 1_000_000),
        )
        self._ranges = RangeFetch(
            pool.range_connections,
            pool.check_url(url),
            self.stream,
            deadline,
            scope,
            timeline,
            await_restriction=sparse,
        )
        self._thread = threading.Thread(target=self._run, name="touchline-download", daemon=True)

    def start(self) -> ByteStream:
        """Begin; returns the stream at once."""
        self._has_ranges = self._use_range_connections and self._ranges.start()
        self._enter(State.RANGES if self._has_ranges else State.GAPS)
        self._thread.start()
        return self.stream

    def restrict_to(self, spans: Sequence[ByteSpan] | None) -> None:
        """Say which bytes are needed. A body over a single connection is downloaded completely all the same.

        Args:
            spans: Rising and apart from each other, at least one; None: all of them.
        """
        if self._has_ranges and spans is not None:
            self.stream.restrict_to(spans)
        self._ranges.restrict_to(spans)

    def join(self, timeout: float) -> bool:
        """Wait for its threads to end; whether they did."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return self._ranges.join(timeout) and not self._thread.is_alive()

    # -- the state machine, in the download's own thread --------------------------------------------------

    def _enter(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a download cannot go from {self.state.name} to {state.name}")
        self.state = state

    def _run(self) -> None:
        try:
            if self.state is State.RANGES:
                self._follow_ranges()
                if self._ranges.error is not None:
                    raise self._ranges.error
                self._enter(State.GAPS)
            self._fetch_gaps()
            if self.stream.is_restricted and not self._scope.cancelled:
                self._enter(State.ON_REQUEST)
                self._serve_requests()
                self._enter(State.GAPS)
                self._fetch_gaps()
            self._scope.check("download")
            self._enter(State.COMPLETE)
            self.stream.finish()
        except Exception as error:  # noqa: BLE001 - handed to the readers, who would wait in vain
            self._enter(State.FAILED)
            self.stream.fail(error)

    def _follow_ranges(self) -> None:
        """RANGES: serve out-of-order reads; take over once the range connections have fallen silent."""
        while not (self._ranges.ended or self._scope.cancelled):
            self._fetch_out_of_order()
            if self._ranges.is_silent:
                self._enter(State.TAKEOVER)
                if self._take_over():
                    return
                self._enter(State.RANGES)
            self.stream.wait_for_feeder_call(POLL_S)

    def _take_over(self) -> bool:
        """TAKEOVER: read the rest over the pool's connection.

        Returns:
            False when the range connections came back first, or when the pool's connection is no better.
        """
        gap = self.stream.missing()
        if gap.is_empty:
            self._ranges.stop()
            return True
        asked = self._timeline.now()
        try:
            with self._open(gap) as exchange:
                if not self._ranges.is_silent:
                    return False
                self._ranges.stop()
                self.stream.expect_no_more()
                self._timeline.count("takeovers")
                self._read_body(exchange, gap, gap, asked, resumed=False)
        except SourceChanged:
            raise
        except TransportError:
            # the whole path may be silent, and then the range connections are as likely to come back
            if not self._ranges.ended and self._ranges.silent_s < self._settings.stall_timeout_s:
                return False
            self._ranges.stop()  # what is missing is asked for once more, and that error counts
        return True

    def _fetch_gaps(self) -> None:
        """GAPS and BACKOFF: fetch what is missing, first to last, also after refusals that pass."""
        resumes = 0
        backoff = Backoff(self._deadline)
        while True:
            before = self._body_bytes
            try:
                self._fetch_all_gaps(resumed=resumes > 0)
                return
            except (SourceRejected, ConnectFailed) as error:
                if isinstance(error, ConnectFailed) and self.stream.size is None and not self._body_bytes:
                    raise  # one that was reached before is being reloaded; this one was never there
                pause_s = backoff.pause_s(error)
                self._timeline.count("refusals")
                self._enter(State.BACKOFF)
                self._scope.wait(pause_s)
                self._scope.check("download")
                self._enter(State.GAPS)
            except StreamStalled:
                if self._has_everything():
                    return  # only the end mark was lost
                # the first time it may have been the connection
                brought_enough = not resumes or self._body_bytes - before >= MIN_RESUME_BYTES
                resumable = self._may_use_ranges and brought_enough and resumes < MAX_RESUMES
                if self._scope.cancelled or not resumable:
                    raise
                resumes += 1
                self._timeline.count("resumes")

    def _fetch_all_gaps(self, *, resumed: bool) -> None:
        gap = self.stream.missing()
        while not (gap.is_empty or self._scope.cancelled):
            asked = self._timeline.now()
            wanted = gap
            if self._partial_bytes is not None:
                wanted = ByteSpan(gap.start, self._partial_bytes)
            elif gap.stop == self.stream.size:
                wanted = ByteSpan(gap.start, None)
            with self._open(wanted) as exchange:
                self._read_body(exchange, gap, wanted, asked, resumed=resumed)
            if self.stream.size is None and not self._scope.cancelled:
                self.stream.set_size(self._position)  # only the end of the body could tell it
            gap = self.stream.missing()

    def _serve_requests(self) -> None:
        """ON_REQUEST: what is needed is there; should a reader need other bytes after all, fetch them.

        Ends when that fails: everything is needed then.
        """
        while self.stream.is_restricted and not self._scope.cancelled:
            self._deadline.check("download")
            self._fetch_out_of_order()
            self.stream.wait_for_feeder_call(POLL_S)

    # -- reading over the pool's connection ---------------------------------------------------------------

    def _has_everything(self) -> bool:
        return self.stream.size is not None and self.stream.missing().is_empty

    def _open(self, wanted: ByteSpan) -> AbstractContextManager[Exchange]:
        return self._pool.open(self._url, self._deadline, wanted=wanted, validator=self.stream.validator)

    def _read_body(
        self, exchange: Exchange, gap: ByteSpan, wanted: ByteSpan, asked: float, *, resumed: bool
    ) -> None:
        """Read the body that was asked for from the start of a gap.

        Raises:
            ChallengeError: It is not the body that was asked for, or it broke off.
        """
        head_at = self._timeline.now()
        self._note_connection(exchange, asked, head_at)
        self._position = gap.start
        head = read_body_head(exchange.response, wanted)
        self.stream.check_version(head.version)
        if head.start is not None and gap.start and head.start == 0:
            if resumed:
                raise StreamStalled("the origin broke off and does not continue where it stopped")
            self._pool.range_connections.refuse(self._url)
        if not head.accepts_ranges:
            self._may_use_ranges = False
            self.stream.disable_out_of_order()
        self._set_size(head)
        if head.start is None:
            return  # the resource is shorter than it was taken to be
        self._position = head.start
        self.stream.expect_body_at(self._position)
        length = None if head.end is None else head.end - head.start
        self._read_chunks(exchange, self._feed_body, head_at, length)
        if gap.stop is not None and self._position < gap.stop and not self._scope.cancelled:
            raise StreamStalled(
                f"the origin gave {self._position - gap.start} bytes from {gap.start}, not all"
            )

    def _note_connection(self, exchange: Exchange, asked: float, head_at: float) -> None:
        # the exchange came last; before it stand redirects, and an attempt over a connection that was dead
        begun = max(asked, head_at - exchange.first_byte_s - exchange.connect_s)
        if exchange.redirects:
            self._timeline.add("redirect", asked, begun)
            self._timeline.note(redirects=len(exchange.redirects))
        note_connection(self._timeline, begun, exchange.setup, exchange.connect_s)
        connected = begun + exchange.connect_s
        self._timeline.add("request", connected, connected + exchange.request_s)
        self._timeline.add("first_byte", connected, head_at)
        self._timeline.note(protocol=exchange.protocol, new_connection=exchange.connected)
        if exchange.connected:
            self._timeline.count("handshakes")

    def _set_size(self, head: BodyHead) -> None:
        """Take over the length of the resource; with PARTIAL_DOWNLOAD, of the part that is used."""
        total = head.version.size if self._partial_bytes is None else head.end
        if total is not None:
            self.stream.set_size(total if self._partial_bytes is None else min(total, self._partial_bytes))

    def _feed_body(self, chunk: bytes) -> None:
        self.stream.feed_body(self._position, chunk)
        self._position += len(chunk)
        self._body_bytes += len(chunk)
        self._fetch_out_of_order()

    def _fetch_out_of_order(self) -> None:
        """Fetch what a reader waits for and nothing under way will bring soon."""
        span = self.stream.requested
        if span is not None and self._may_use_ranges and not self._ranges.awaits_restriction:
            try:
                self._fetch_span(span)
            except (SourceChanged, TooLarge):
                raise
            except ChallengeError:
                # the body brings the same bytes, or the gap is fetched later; that error counts
                self.stream.disable_out_of_order()

    def _fetch_span(self, span: ByteSpan) -> None:
        asked = self._timeline.now()
        with self._open(span) as exchange:
            head = read_body_head(exchange.response, span)
            self.stream.check_version(head.version)
            if exchange.response.status_code != 206 or head.start != span.start or head.end is None:
                raise StreamStalled(f"the origin does not give the bytes from {span.start} by themselves")
            if exchange.connected:
                self._timeline.count("handshakes")
            self._timeline.count("out_of_order_reads")
            position = span.start

            def feed(data: bytes) -> None:
                nonlocal position
                self.stream.feed(position, data)
                position += len(data)

            self._read_chunks(exchange, feed, asked, head.end - span.start)
        if position < head.end and not self._scope.cancelled:
            raise StreamStalled(f"the origin gave {position - span.start} bytes from {span.start}, not all")

    def _read_chunks(
        self, exchange: Exchange, feed: Callable[[bytes], None], head_at: float, length: int | None
    ) -> None:
        """Read a body; one that is longer than its head said ends the connection."""
        read = 0
        self._scope.on_cancel(lambda: self._interrupt(exchange))
        self._scope.check("download")  # it may have come before, and then nobody interrupts
        for chunk in exchange.chunks():
            if self._scope.cancelled:
                return
            read += len(chunk)
            if length is not None and read > length:
                raise StreamStalled(f"the origin sent more than the {length} bytes that it announced")
            feed(chunk)
            if self._partial_bytes is not None and self._position >= self._partial_bytes:
                break
        self._timeline.add("download", head_at, self._timeline.now())
        self._timeline.count("bytes", read)

    def _interrupt(self, exchange: Exchange) -> None:
        """At the cancel: end a read that is blocked; one that still receives bytes notices by itself."""
        if exchange.response.is_closed or self._thread is threading.current_thread():
            return
        self._thread.join(0.05)
        if self._thread.is_alive() and not exchange.response.is_closed:
            exchange.interrupt()
