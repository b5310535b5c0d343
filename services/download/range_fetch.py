"""A range fetch: one resource downloaded in blocks over several range connections at once.

A connection that was idle begins slowly: some 14 KB in its first round trip, twice that in the next, and so
on (RFC 6928, RFC 5681 section 4.1). Several begin that slowly side by side: an index and a first key frame,
some 100 KB, arrive in one round trip, and the link is full three round trips sooner. Requests are pipelined,
so that no connection waits for one, and all connections work on the front of the resource.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

import h11

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.blocks import PIECE, Blocks
from services.download.byte_stream import ByteStream
from services.download.connection_stages import note_connection
from services.download.range_connection import (
    OriginBusy,
    RangeConnection,
    RangeRefused,
    ResourceRefused,
    Suffix,
)
from services.download.range_connection_pool import RangeConnectionPool
from services.download.resource_version import ResourceVersion
from services.errors import ChallengeError
from services.timeline import Timeline

PIPELINE_DEPTH: Final = 4
"""Unanswered requests on each connection: enough that the origin never waits for the next one."""
SUFFIX_PIECES: Final = 2
"""Connections that begin with the end of the resource, where an index may stand."""
MIN_CONNECTIONS_FOR_SUFFIX: Final = 6
"""With fewer connections than this all of them begin at the front."""
HEAD_PIECES: Final = 8
"""Pieces of the front that usually hold the index, for plans that need few bytes of the rest."""
UNKNOWN_ROUND_TRIP_S: Final = 0.25
"""Round-trip time in seconds that is assumed until the first response tells."""
POLL_S: Final = 0.05
"""Seconds between two checks for silent connections and for the cancel."""
RESTRICTION_POLL_S: Final = 0.005
"""The same while the frame plan is waited for: it must not wait for this thread."""
NOWHERE: Final = 1 << 62
"""An offset that no body reaches: readers then request what they need beyond the head."""
MIN_PATIENCE_S: Final = 0.3
"""Seconds of silence after which a connection counts as hanging, if the round-trip time is short."""
PATIENCE_ROUND_TRIPS: Final = 4.0
"""The same in round trips, if it is long."""
MAX_PATIENCE_S: Final = 5.0
"""Longest silence in seconds that is waited for after others that ended by themselves."""
MIN_PROGRESS: Final = 500
"""Bytes of a body that count as progress ..."""
DRIP_PATIENCE: Final = 4.0
"""... and for how many times the patience with a silent connection it may be missing at the end."""
MIN_PAUSE_S: Final = 0.03
"""Seconds between two pipelined responses that the congestion window cannot explain ..."""
PAUSE_ROUND_TRIPS: Final = 1.5
"""... plus this many round trips: the origin then needs time for each request."""
MAX_PAUSES: Final = 3
"""After this many such pauses few large blocks are asked for instead of many small ones."""


class _Assignment:
    """A connection and the blocks that it was asked for."""

    def __init__(self, connection: RangeConnection) -> None:
        self.connection = connection
        self.asked: deque[ByteSpan | Suffix] = deque()
        self.last_heard = self.progressed_at = time.monotonic()
        self._progress = 0

    def note_bytes(self, count: int) -> None:
        """Bytes of a body have arrived; a byte now and then is no progress."""
        self._progress += count
        if self._progress >= MIN_PROGRESS:
            self._progress = 0
            self.progressed_at = time.monotonic()


class RangeFetch:
    """Feeds a stream over range connections; what they cannot bring is left to the pool's connection.

    Attributes:
        error: Why the whole download has failed, if it has.

    Args:
        connections: Lends connections; they are given back at the end.
        url: The resource.
        stream: Gets the bytes, and is told which bytes are under way.
        deadline: Bounds the wait.
        scope: Its cancel ends the fetch.
        timeline: Gets `connect`, `first_byte`, `download`, and `range_connections`:
            those that lasted, of those used.
        await_restriction: Whether only head and end are fetched until `restrict_to` is called.
    """

    def __init__(
        self,
        connections: RangeConnectionPool,
        url: str,
        stream: ByteStream,
        deadline: Deadline,
        scope: CancelScope,
        timeline: Timeline,
        *,
        await_restriction: bool = False,
    ) -> None:
        self._connections = connections
        self._url = url
        self._stream = stream
        self._deadline = deadline
        self._scope = scope
        self._timeline = timeline
        self._loan = ExitStack()
        self._assignments: list[_Assignment] = []
        self._target = "/"
        self._count = 0
        self._suffix_bytes = 0
        self._head_end = 0
        self._selector = selectors.DefaultSelector()
        self._blocks = Blocks(1)
        self._round_trip_known = True
        self._awaits_restriction = await_restriction
        self._restriction: Sequence[ByteSpan] | None = None
        self._restriction_set = threading.Event()
        self._stopped = False
        self._refused = False
        self._busy = False
        self._resource_refused = False
        self._begun = self._sent = 0.0
        self._first_byte: float | None = None
        self._last_heard = time.monotonic()
        self.patience_s = MIN_PATIENCE_S
        self.error: ChallengeError | None = None
        self._max_pause_s = MIN_PAUSE_S
        self._pauses = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        """Send the first requests and begin to listen; whether there are connections for them."""
        connections, round_trip_s = self._loan.enter_context(self._connections.lend(self._url))
        parts = urlsplit(self._url)
        self._target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._begun = self._timeline.now()
        self._assignments = [_Assignment(connection) for connection in connections]
        for assignment in self._assignments:
            self._selector.register(assignment.connection.socket, selectors.EVENT_READ, assignment)
        self._count = len(connections)
        self._blocks = Blocks(len(connections))
        self._set_round_trip(round_trip_s or UNKNOWN_ROUND_TRIP_S)
        self._round_trip_known = bool(round_trip_s)
        self._ask_for_head()
        if self._awaits_restriction:
            self._stream.expect_body_at(NOWHERE)
        self._fill_pipelines()
        self._sent = self._timeline.now()
        if not self._assignments:
            self._selector.close()
            self._loan.close()
            self._ended.set()
            return False
        # made here: a thread that never runs would keep itself, and the body, alive in a cycle
        self._thread = threading.Thread(target=self._run, name="touchline-ranges", daemon=True)
        self._thread.start()
        return True

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self._ended.is_set()

    @property
    def silent_s(self) -> float:
        """Seconds for which nothing has arrived of what was asked for."""
        waits = any(assignment.connection.unanswered for assignment in tuple(self._assignments))
        return time.monotonic() - self._last_heard if waits and not self.ended else 0.0

    @property
    def is_silent(self) -> bool:
        """Whether all connections have been silent for longer than working ones are, or drip."""
        if self.silent_s > self.patience_s:
            return True
        assignments = tuple(self._assignments)
        dripping = time.monotonic() - DRIP_PATIENCE * self.patience_s
        # of some that drip the others take over what they were asked for
        drip = all(each.connection.unanswered and each.progressed_at < dripping for each in assignments)
        return bool(assignments) and drip and not self.ended

    @property
    def awaits_restriction(self) -> bool:
        """Whether only head and end are fetched until `restrict_to` is called."""
        return self._awaits_restriction and not self.ended

    def restrict_to(self, spans: Sequence[ByteSpan] | None) -> None:
        """Fetch these spans only, rising and apart from each other; None: everything."""
        self._restriction = spans
        self._restriction_set.set()

    def stop(self) -> None:
        """Fetch nothing more: something else fetches the rest."""
        self._stopped = True

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- requests ---------------------------------------------------------------------------------------

    def _set_round_trip(self, seconds: float) -> None:
        self._blocks.set_round_trip(seconds)
        self.patience_s = max(MIN_PATIENCE_S, PATIENCE_ROUND_TRIPS * seconds)
        self._max_pause_s = MIN_PAUSE_S + PAUSE_ROUND_TRIPS * seconds

    def _ask_for_head(self) -> None:
        """One small piece over each connection, of the front and of the end."""
        suffixes = SUFFIX_PIECES if len(self._assignments) >= MIN_CONNECTIONS_FOR_SUFFIX else 0
        front = len(self._assignments) - suffixes
        if self._awaits_restriction:
            front = min(front, HEAD_PIECES)
        asked = 0
        for assignment in list(self._assignments):
            if asked == front + suffixes:
                break
            # a connection that turns out to be dead leaves no gap: the next one is asked for its piece
            if asked < front:
                asked += self._ask_for_block(assignment)
            elif self._ask(assignment, Suffix((asked - front + 1) * PIECE)):
                asked += 1
        self._head_end = self._blocks.next_offset or 0
        self._suffix_bytes = max(0, asked - front) * PIECE
        self._stream.expect_suffix(self._suffix_bytes)

    def _fill_pipelines(self) -> None:
        """Ask until every connection has enough unanswered requests; those with the fewest come first."""
        for depth in range(1, PIPELINE_DEPTH):
            for assignment in list(self._assignments):
                if self._may_ask() and assignment.connection.unanswered <= depth:
                    self._ask_for_block(assignment)

    def _may_ask(self) -> bool:
        """Whether a block is left; until the restriction is known, one of the head that did not arrive."""
        offset = self._blocks.next_offset
        return offset is not None and (not self._awaits_restriction or offset < self._head_end)

    def _ask_for_block(self, assignment: _Assignment) -> bool:
        span = self._blocks.take()
        if span is None:
            return False
        if not self._ask(assignment, span):
            return False
        self._stream.expect(span)
        if not self._awaits_restriction:  # until then nothing follows what is asked for
            self._stream.expect_body_at(self._blocks.next_offset or span.start)
        return True

    def _ask(self, assignment: _Assignment, wanted: ByteSpan | Suffix) -> bool:
        if not assignment.asked:  # it was idle, which is no silence
            self._last_heard = assignment.last_heard = assignment.progressed_at = time.monotonic()
        assignment.asked.append(wanted)
        try:
            assignment.connection.send("GET", self._target, wanted, self._stream.validator)
        except (OSError, h11.ProtocolError):
            self._drop(assignment)
            return False
        return True

    def _drop(self, assignment: _Assignment) -> None:
        """A connection is lost; others are asked for what it did not bring."""
        self._assignments.remove(assignment)
        self._selector.unregister(assignment.connection.socket)
        assignment.connection.close()
        for wanted in assignment.asked:
            if isinstance(wanted, ByteSpan):
                self._blocks.put_back(ByteSpan(self._stream.end_at(wanted.start), wanted.stop))
            else:
                self._give_up(wanted)
        assignment.asked.clear()

    def _give_up(self, suffix: Suffix) -> None:
        """The end of the resource is asked for like the rest of it: as blocks, or when a reader needs it."""
        asked = (wanted for assignment in self._assignments for wanted in assignment.asked)
        self._suffix_bytes = max((wanted.length for wanted in asked if isinstance(wanted, Suffix)), default=0)
        self._stream.expect_suffix(self._suffix_bytes)
        size = self._stream.size
        if size is not None:
            self._blocks.end_at(size)
            start = max(0, size - suffix.length)
            self._blocks.put_back(ByteSpan(self._stream.end_at(start), size))

    # -- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._has_work():
                pause_s = RESTRICTION_POLL_S if self._awaits_restriction else POLL_S
                for key, _ in self._selector.select(pause_s):
                    self._receive(key.data)
                for assignment in self._hanging():
                    self._drop(assignment)
                self._apply_restriction()
                self._fill_pipelines()
        finally:
            self._end()

    def _has_work(self) -> bool:
        ends = self._stopped or self._refused or self._resource_refused or self.error is not None
        if ends or self._scope.cancelled or self._deadline.remaining() <= 0:
            return False
        return bool(self._assignments) and (
            self._awaits_restriction
            or self._blocks.left
            or any(assignment.connection.unanswered for assignment in self._assignments)
        )

    def _receive(self, assignment: _Assignment) -> None:
        connection = assignment.connection
        if assignment.asked:
            self._note_life(assignment)
        try:
            for _ in range(connection.receive(lambda at, data: self._take(assignment, at, data))):
                self._note_answer(assignment.asked.popleft(), connection.version)
                assignment.progressed_at = time.monotonic()
                self._pauses += connection.pause_s > self._max_pause_s
                if self._pauses == MAX_PAUSES:
                    self._blocks.widen()
        except (OSError, h11.ProtocolError) as error:
            if isinstance(error, RangeRefused):
                self._note_refusal(error)
            self._busy |= isinstance(error, OriginBusy)
            self._resource_refused |= isinstance(error, ResourceRefused)
            self._drop(assignment)
        except ChallengeError as error:
            self.error = error

    def _note_life(self, assignment: _Assignment) -> None:
        # a part of a TLS record gives no bytes yet, but is a sign of life as well
        now = time.monotonic()
        if not self._round_trip_known:
            self._round_trip_known = True
            self._set_round_trip(now - assignment.last_heard)
        # a connection whose silence ended by itself was not hanging
        self.patience_s = min(max(self.patience_s, 2 * (now - assignment.last_heard)), MAX_PATIENCE_S)
        assignment.last_heard = self._last_heard = now

    def _note_answer(self, wanted: ByteSpan | Suffix, version: ResourceVersion) -> None:
        """A response is complete; one that says how long the resource is may bring nothing else."""
        self._note_version(version)
        size = self._stream.size
        if isinstance(wanted, Suffix) and size and self._stream.end_at(max(0, size - wanted.length)) < size:
            self._give_up(wanted)

    def _note_refusal(self, error: RangeRefused) -> None:
        """No ranges from this origin, unless it gave the whole of another version (RFC 9110, 13.1.5)."""
        try:
            self._stream.check_version(error.version)
            self._refused = True
        except ChallengeError as changed:
            self.error = changed

    def _take(self, assignment: _Assignment, offset: int, data: bytes) -> None:
        self._note_version(assignment.connection.version)
        self._timeline.count("bytes", len(data))
        assignment.note_bytes(len(data))
        self._stream.feed(offset, data)

    def _note_version(self, version: ResourceVersion) -> None:
        self._stream.check_version(version)
        if self._first_byte is None and version.size is not None:
            self._first_byte = self._timeline.now()
            self._stream.set_size(version.size)
            self._blocks.end_at(max(0, version.size - self._suffix_bytes))

    def _hanging(self) -> list[_Assignment]:
        """Connections that are silent while others are not, or drip while others have nothing left to do."""
        now = time.monotonic()
        asked = [a for a in self._assignments if a.connection.unanswered]
        hanging = [a for a in asked if a.last_heard < now - self.patience_s]
        if len(asked) < len(self._assignments) and not self._blocks.left:
            hanging = [a for a in asked if a.progressed_at < now - DRIP_PATIENCE * self.patience_s] or hanging
        return hanging if len(hanging) < len(self._assignments) else []

    def _apply_restriction(self) -> None:
        """Leave out what is not needed; where the head does not hold the index, wait no longer."""
        if self._restriction_set.is_set():
            self._restriction_set.clear()
            self._awaits_restriction = False
            if self._restriction is not None:
                self._blocks.restrict_to(self._restriction)
        elif self._awaits_restriction and self._stream.requested is not None:
            self._awaits_restriction = False

    def _end(self) -> None:
        lasted = len(self._assignments)
        for assignment in self._assignments:
            if assignment.connection.unanswered:
                assignment.connection.close()
        self._selector.close()
        if self._refused:
            self._connections.refuse(self._url)
        elif self._busy:
            if lasted:
                self._connections.limit(self._url, lasted)
        elif self.error is not None or self._resource_refused:
            pass  # nothing that the connections could do better
        elif self._stopped or not self._scope.cancelled:
            self._connections.record_outcome(self._url, worked=lasted > 0 and not self._stopped)
        self._loan.close()
        self._stream.expect_no_more()
        now = self._timeline.now()
        if self._first_byte is not None:
            note_connection(self._timeline, self._begun)
            self._timeline.add("request", self._begun, self._sent)
            self._timeline.add("first_byte", self._begun, self._first_byte)
            self._timeline.add("download", self._first_byte, now)
            self._timeline.note(protocol="HTTP/1.1", new_connection=False)
        self._timeline.note(range_connections=f"{lasted}/{self._count}")
        self._ended.set()
        self._stream.wake_feeder()
