"""A range connection: one more connection to an origin, for parts of one resource; it never blocks in use.

It speaks HTTP/1.1 and pipelines its requests (RFC 9112, section 9.3.2): the server goes on from one range to
the next without a round trip between them. A request costs a few dozen microseconds, where one of another
HTTP/2 client costs one or two milliseconds.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11
import httpcore

from services.byte_span import ByteSpan
from services.deadline import Deadline
from services.download.body_head import compression, range_header
from services.download.error_mapping import mapped_errors
from services.download.patience import Patience
from services.download.resource_version import ResourceVersion
from services.download.sockets import GuardedBackend
from services.errors import StreamStalled

_CONTENT_RANGE: Final = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18})", re.ASCII)
READ_SIZE: Final = 64 * 1024
"""Bytes of one read from the socket."""
MAX_UNUSED_BYTES: Final = 256 * 1024
"""Bytes in a row of heads, and of bodies that nobody asked for."""
BUSY_STATUSES: Final = (429, 503)
"""Answers of an origin that allows fewer connections or requests at a time (RFC 6585, RFC 9110)."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """The last bytes of a resource, asked for before its length is known.

    Attributes:
        length: How many.
    """

    length: int


class _Request:
    """An unanswered request, with an h11 connection of its own: one handles one exchange at a time."""

    def __init__(self, wanted: ByteSpan | Suffix | None) -> None:
        self.wanted = wanted
        self.exchange = h11.Connection(h11.CLIENT)

    def fits(self, first: int, last: int, total: int) -> bool:
        """Whether a response with these bytes is exactly what was asked for."""
        if isinstance(self.wanted, Suffix):
            return first == max(0, total - self.wanted.length) and last == total - 1
        if self.wanted is None:
            return False
        stop = total if self.wanted.stop is None else min(self.wanted.stop, total)
        return first == self.wanted.start and last == stop - 1

    def may_be_denied(self, total: int) -> bool:
        """Whether a resource of that length has none of these bytes; not every origin knows a suffix."""
        return isinstance(self.wanted, Suffix) or (self.wanted is not None and self.wanted.start >= total)


class RangeConnection:
    """A connection that is opened before it is needed.

    Args:
        backend: How sockets are opened.
        context: TLS, offering HTTP/1.1 only.
        origin: The origin, as a URL.
        user_agent: Value of the header of that name.

    Attributes:
        round_trip_s: Round-trip time of the latest touch, seconds; 0 before the second one.
        pause_s: Seconds between the end of the previous response and the head of the latest one, when the two
            requests were pipelined; otherwise 0.
        start: Offset of the next body byte, once a response's head has arrived.
        version: The version of the resource, as the latest head says.
    """

    def __init__(
        self, backend: GuardedBackend, context: ssl.SSLContext, origin: str, user_agent: str
    ) -> None:
        self._backend = backend
        self._context = context
        self._parts = urlsplit(origin)
        self._agent = user_agent
        self._stream: httpcore.NetworkStream | None = None
        self._requests: deque[_Request] = deque()
        self._left = 0
        """Bytes of the current body that have not arrived yet; the body of a 416 does not count."""
        self._is_part = False
        self._unused = 0
        """Bytes that have arrived since the latest part, or the latest complete response."""
        self._closes_after = False
        self._ended: float | None = None
        self.round_trip_s = 0.0
        self.pause_s = 0.0
        self.start = 0
        self.version = ResourceVersion(None)

    @property
    def is_open(self) -> bool:
        """Whether it is open and has no unanswered request."""
        return self._stream is not None and not self._requests and not self._closes_after

    @property
    def unanswered(self) -> int:
        """Number of unanswered requests."""
        return len(self._requests)

    @property
    def socket(self) -> socket.socket:
        """The open socket, which does not block, for a selector."""
        assert self._stream is not None
        found: socket.socket = self._stream.get_extra_info("socket")
        return found

    def touch(self, timeout: float) -> None:
        """Open it, or check that it is still open, with a HEAD request; blocks up to `timeout` seconds.

        Raises:
            ConnectFailed, StreamStalled, UrlRefused
        """
        limit = Patience(timeout, Deadline.after(timeout))
        fresh = not self.is_open
        try:
            with mapped_errors("connect"):
                if fresh:
                    self.close()
                    self._stream = stream = self._connect(limit)
                elif self._stream is not None:
                    stream = self._stream
                begun = time.monotonic()
                self.send("HEAD", "/")
                while self._requests:
                    self._next_event(lambda size: stream.read(size, limit))
        except (OSError, h11.ProtocolError) as error:
            self.close()
            raise StreamStalled(f"the origin broke off: {error}", stage="connect") from error
        except BaseException:
            self.close()
            raise
        if not fresh:  # the first request of a connection may wait for more than the round trip
            self.round_trip_s = time.monotonic() - begun

    def send(
        self, method: str, target: str, wanted: ByteSpan | Suffix | None = None, validator: str = ""
    ) -> None:
        """Send a request.

        Args:
            method: GET or HEAD.
            target: Path and query.
            wanted: The bytes that are asked for; None: the whole.
            validator: Value for `If-Range`, once the version of the resource is known.

        Raises:
            OSError, h11.ProtocolError: The connection cannot be used any more.
        """
        headers = [("host", self._parts.netloc), ("user-agent", self._agent), ("accept", "*/*")]
        headers.append(("accept-encoding", "identity"))
        if isinstance(wanted, Suffix):
            headers.append(("range", f"bytes=-{wanted.length}"))
        elif wanted is not None:
            headers.append(("range", range_header(wanted)))
        if wanted is not None and validator:
            headers.append(("if-range", validator))
        request = _Request(wanted)
        data = request.exchange.send(h11.Request(method=method, target=target, headers=headers)) or b""
        data += request.exchange.send(h11.EndOfMessage()) or b""
        # a few requests of some hundred bytes fit into every send buffer
        if self.socket.send(data) != len(data):
            raise OSError("the send buffer of the connection is full")
        self._requests.append(request)

    def receive(self, take: Callable[[int, bytes], None]) -> int:
        """Read what has arrived; also while nothing is asked for, since the origin may close the connection.

        Args:
            take: Gets the offset and the bytes of each part of a body.

        Returns:
            The number of responses that were completed.

        Raises:
            OSError, h11.ProtocolError: The connection broke, or a response is not the range that was asked
            for.
        """
        before = len(self._requests)
        if not before and self._receive_now(1) is not None:
            raise OSError("the origin closed the connection, or sent what nobody asked for")
        while self._requests:
            event = self._next_event(self._receive_now)
            if event is None:
                break
            if isinstance(event, h11.Response):
                self._read_head(event)
            elif isinstance(event, h11.Data) and self._is_part:
                data = bytes(event.data)
                self._unused = 0
                self._left -= len(data)
                if self._left < 0:
                    raise OSError("the origin sent more than it was asked for")
                take(self.start, data)
                self.start += len(data)
        return before - len(self._requests)

    def close(self) -> None:
        """Close it; `touch` opens it again."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        self._requests.clear()
        self._unused = 0
        self._is_part = self._closes_after = False
        self._ended = None

    def _connect(self, limit: Patience) -> httpcore.NetworkStream:
        secure = self._parts.scheme == "https"
        host, port = self._parts.hostname or "", self._parts.port or (443 if secure else 80)
        stream = self._backend.connect_tcp(host, port, limit)
        return stream.start_tls(self._context, host, limit) if secure else stream

    def _receive_now(self, size: int) -> bytes | None:
        try:
            return self.socket.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def _next_event(self, receive: Callable[[int], bytes | None]) -> object:
        """The next h11 event of the oldest unanswered request; None when more bytes have to arrive."""
        exchange = self._requests[0].exchange
        while True:
            event = exchange.next_event()
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    self._finish_response(exchange)
                return event
            data = receive(READ_SIZE)
            if data is None:
                return None
            if not data:
                raise OSError("the origin closed the connection")
            self._unused += len(data)
            if self._unused > MAX_UNUSED_BYTES:
                raise OSError("the origin sends what nobody asked for")
            exchange.receive_data(data)

    def _finish_response(self, exchange: h11.Connection) -> None:
        """Bytes behind the end of a response belong to the next one."""
        if self._is_part and self._left:
            raise OSError("the origin sent less than it was asked for")
        self._is_part = False
        self._unused = 0
        self._requests.popleft()
        self._ended = time.monotonic() if self._requests else None
        rest = exchange.trailing_data[0]
        self._closes_after = exchange.their_state is h11.MUST_CLOSE
        if self._requests and self._closes_after:
            raise OSError("the origin answers no more requests on this connection")
        if rest:  # no bytes would mean that the connection has ended
            if not self._requests:
                raise OSError("the origin sent more than it was asked for")
            self._requests[0].exchange.receive_data(rest)

    def _read_head(self, response: h11.Response) -> None:
        status = response.status_code
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        if status in BUSY_STATUSES:
            raise OriginBusy(f"the origin answered {status} to a range")
        if compression(headers.get("content-encoding", "")) or (status >= 400 and status != 416):
            raise ResourceRefused(f"the origin does not give the resource: {status}")
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        self._is_part = status == 206
        # 416 says that the resource ends before this range, which is a useful answer as well
        if found is None or status not in (206, 416) or self._is_part == (found[1] is None):
            # only a success speaks of the resource itself
            version = ResourceVersion.from_headers(None, headers if status == 200 else {})
            raise RangeRefused(f"the origin answered {status} to a range", version)
        total = int(found[3])
        if not self._is_part and not self._requests[0].may_be_denied(total):
            raise RangeRefused(f"the origin denies bytes of {total}", ResourceVersion(None))
        if self._is_part:
            first, last = int(found[1]), int(found[2])
            self.start, self._left = first, last - first + 1
            length = headers.get("content-length", "")
            if not self._requests[0].fits(first, last, total) or length not in ("", str(self._left)):
                raise RangeRefused(
                    f"the origin sent bytes {first}-{last}, which were not asked for", ResourceVersion(None)
                )
        self.pause_s = 0.0 if self._ended is None else time.monotonic() - self._ended
        self.version = ResourceVersion.from_headers(total, headers if self._is_part else {})


class RangeRefused(OSError):  # noqa: N818 - the connection works; only ranges do not
    """The origin answered, but not with the range that was asked for.

    Attributes:
        version: The version of the resource that it answered with: a changed one is given as a whole.
    """

    def __init__(self, message: str, version: ResourceVersion) -> None:
        super().__init__(message)
        self.version = version


class ResourceRefused(OSError):  # noqa: N818 - as above
    """The origin does not give this resource, by any connection."""


class OriginBusy(OSError):  # noqa: N818 - as above
    """The origin answers no more requests at the moment."""
