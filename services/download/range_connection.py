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
from typing import Final
from urllib.parse import urlsplit

import h11
import httpcore

from services.download.error_mapping import mapped_errors
from services.download.sockets import GuardedBackend
from services.errors import StreamStalled

_CONTENT_RANGE = re.compile(rb"bytes (?:(\d+)-\d+|\*)/(\d+)")
READ_SIZE: Final = 64 * 1024
"""Bytes of one read from the socket."""
BUSY_STATUSES: Final = (429, 503)
"""Answers of an origin that allows fewer connections or requests at a time (RFC 6585, RFC 9110)."""


class RangeConnection:
    """A connection that is opened before it is needed.

    Args:
        backend: How sockets are opened.
        context: TLS, offering HTTP/1.1 only.
        url: A URL at the origin.
        user_agent: Value of the header of that name.

    Attributes:
        round_trip_s: Round-trip time of the latest touch, seconds; 0 before the second one.
        pause_s: Seconds between the end of the previous response and the head of the latest one, when the two
            requests were pipelined; otherwise 0.
        start: Offset of the next body byte, once a response's head has arrived.
        total: Length of the whole resource in bytes, as the latest head says.
        tag: The resource's strong entity tag; empty when it has none.
    """

    def __init__(self, backend: GuardedBackend, context: ssl.SSLContext, url: str, user_agent: str) -> None:
        self._backend = backend
        self._context = context
        self._parts = urlsplit(url)
        self._agent = user_agent
        self._socket: socket.socket | None = None
        self._stream: httpcore.NetworkStream | None = None
        self._responses: deque[h11.Connection] = deque()
        """One for each unanswered request: an h11 connection handles one exchange at a time."""
        self._is_part = False
        self._closes_after = False
        self._ended: float | None = None
        self.round_trip_s = 0.0
        self.pause_s = 0.0
        self.start = 0
        self.total = 0
        self.tag = ""

    @property
    def is_open(self) -> bool:
        """Whether it is open and has no unanswered request."""
        return self._socket is not None and not self._responses and not self._closes_after

    @property
    def unanswered(self) -> int:
        """Number of unanswered requests."""
        return len(self._responses)

    @property
    def socket(self) -> socket.socket:
        """The open socket, for a selector."""
        assert self._socket is not None
        return self._socket

    def touch(self, timeout: float) -> None:
        """Open it, or check that it is still open, with a HEAD request; blocks up to `timeout` seconds.

        Raises:
            ConnectFailed, StreamStalled, UrlRefused
        """
        fresh = not self.is_open
        if fresh:
            self.close()
            self._connect(timeout)
        begin = time.monotonic()
        try:
            with mapped_errors("connect"):
                self.send("HEAD", "/", None)
                self.socket.settimeout(timeout)
                while self._responses:
                    self._next_event(self.socket.recv)
                    if time.monotonic() - begin > timeout:
                        raise StreamStalled("the origin went silent", stage="connect")
                self.socket.setblocking(False)
        except (OSError, h11.ProtocolError) as error:
            self.close()
            raise StreamStalled(f"the origin broke off: {error}", stage="connect") from error
        except BaseException:
            self.close()
            raise
        if not fresh:  # the first request of a connection may wait for more than the round trip
            self.round_trip_s = time.monotonic() - begin

    def send(self, method: str, target: str, range_header: str | None) -> None:
        """Send a request.

        Args:
            method: GET or HEAD.
            target: Path and query.
            range_header: Value of the Range header, if any.

        Raises:
            OSError, h11.ProtocolError: The connection cannot be used any more.
        """
        host = self._parts.netloc.rpartition("@")[2]
        headers = [("host", host), ("user-agent", self._agent), ("accept", "*/*")]
        headers.append(("accept-encoding", "identity"))
        if range_header is not None:
            headers.append(("range", range_header))
        exchange = h11.Connection(h11.CLIENT)
        data = exchange.send(h11.Request(method=method, target=target, headers=headers))
        data = (data or b"") + (exchange.send(h11.EndOfMessage()) or b"")
        # a few requests of some hundred bytes fit into every send buffer
        if self.socket.send(data) != len(data):
            raise OSError("the send buffer of the connection is full")
        self._responses.append(exchange)

    def receive(self, take: Callable[[int, bytes], None]) -> int:
        """Read what has arrived.

        Args:
            take: Gets the offset and the bytes of each part of a body.

        Returns:
            The number of responses that were completed.

        Raises:
            OSError, h11.ProtocolError: The connection broke, or a response is not the range that was asked
            for.
        """
        before = len(self._responses)
        while self._responses:
            event = self._next_event(self._receive_now)
            if event is None:
                break
            if isinstance(event, h11.Response):
                self._read_head(event)
            elif isinstance(event, h11.Data) and self._is_part:
                data = bytes(event.data)
                take(self.start, data)
                self.start += len(data)
        return before - len(self._responses)

    def close(self) -> None:
        """Close it; `touch` opens it again."""
        if self._stream is not None:
            self._stream.close()
        self._socket = self._stream = None
        self._responses.clear()
        self._closes_after = False
        self._ended = None

    def _connect(self, timeout: float) -> None:
        secure = self._parts.scheme == "https"
        host, port = self._parts.hostname or "", self._parts.port or (443 if secure else 80)
        with mapped_errors("connect"):
            options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
            stream = self._backend.connect_tcp(host, port, timeout=timeout, socket_options=options)
            if secure:
                stream = stream.start_tls(self._context, server_hostname=host, timeout=timeout)
        self._stream = stream
        self._socket = stream.get_extra_info("socket")

    def _receive_now(self, size: int) -> bytes | None:
        try:
            return self.socket.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def _next_event(self, receive: Callable[[int], bytes | None]) -> object:
        """The next h11 event of the oldest unanswered request; None when more bytes have to arrive."""
        response = self._responses[0]
        while True:
            event = response.next_event()
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    self._finish_response(response)
                return event
            data = receive(READ_SIZE)
            if data is None:
                return None
            if not data:
                raise OSError("the origin closed the connection")
            response.receive_data(data)

    def _finish_response(self, response: h11.Connection) -> None:
        """Bytes behind the end of a response belong to the next one."""
        self._responses.popleft()
        self._ended = time.monotonic() if self._responses else None
        rest = response.trailing_data[0]
        self._closes_after = response.their_state is h11.MUST_CLOSE
        if self._responses and self._closes_after:
            raise OSError("the origin answers no more requests on this connection")
        if rest:  # no bytes would mean that the connection has ended
            if not self._responses:
                raise OSError("the origin sent more than it was asked for")
            self._responses[0].receive_data(rest)

    def _read_head(self, response: h11.Response) -> None:
        headers = dict(response.headers.raw_items())
        headers = {name.lower(): value for name, value in headers.items()}
        span = _CONTENT_RANGE.fullmatch(headers.get(b"content-range", b""))
        self._is_part = response.status_code == 206
        # 416 says that the resource ends before this range, which is a useful answer as well
        if response.status_code in BUSY_STATUSES:
            raise OriginBusy(f"the origin answered {response.status_code} to a range")
        if span is None or response.status_code not in (206, 416) or self._is_part == (span[1] is None):
            raise RangeRefused(f"the origin answered {response.status_code} to a range")
        self.pause_s = 0.0 if self._ended is None else time.monotonic() - self._ended
        tag = headers.get(b"etag", b"").decode("latin-1")
        self.start, self.total = int(span[1] or 0), int(span[2])
        self.tag = "" if tag.startswith("W/") else tag


class RangeRefused(OSError):  # noqa: N818 - the connection works; only ranges do not
    """The origin answered, but not with the range that was asked for."""


class OriginBusy(OSError):  # noqa: N818 - as above
    """The origin answers no more requests at the moment."""
