"""One extra connection to an origin, for ranges of one resource; never blocks while it is used.

It speaks HTTP/1.1 and sends requests before earlier ones are answered (RFC 9112, section 9.3.2): the server
goes on from one range to the next without a round trip between them. A request costs a few dozen
microseconds, where a further HTTP/2 client costs one or two milliseconds.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import h11
import httpcore

from services.download.mapping import mapped_errors
from services.download.network import GuardedBackend
from services.errors import StreamStalled

_CONTENT_RANGE = re.compile(rb"bytes (?:(\d+)-\d+|\*)/(\d+)")
READ_SIZE = 64 * 1024
BUSY = (429, 503)
"""What an origin answers that allows fewer connections or requests at a time (RFC 6585, RFC 9110)."""


class Line:
    """A connection that is opened beforehand.

    Args:
        backend: How sockets are opened.
        context: TLS, offering HTTP/1.1 only.
        url: A URL at the origin.
        user_agent: What requests say.

    Attributes:
        round_trip_s: Seconds of the latest touch, from request to answer; 0 before the second one.
        pause_s: Seconds from the end of the answer before to the head of the latest one, where both had been
            asked for together; else 0.
        start: Offset of the next body byte, once an answer's head is there.
        total: Length of the whole resource, by the answer's head.
        tag: The resource's strong entity tag, empty when it has none.
    """

    def __init__(self, backend: GuardedBackend, context: ssl.SSLContext, url: str, user_agent: str) -> None:
        self._backend = backend
        self._context = context
        self._parts = urlsplit(url)
        self._agent = user_agent
        self._socket: socket.socket | None = None
        self._stream: httpcore.NetworkStream | None = None
        self._answers: deque[h11.Connection] = deque()
        """One for each request that is not answered yet; h11 itself knows one at a time."""
        self._is_part = False
        self._last = False
        self._ended: float | None = None
        self.round_trip_s = 0.0
        self.pause_s = 0.0
        self.start = 0
        self.total = 0
        self.tag = ""

    @property
    def is_open(self) -> bool:
        """Whether it can take a request now."""
        return self._socket is not None and not self._answers and not self._last

    @property
    def unanswered(self) -> int:
        """Requests that are out."""
        return len(self._answers)

    @property
    def socket(self) -> socket.socket:
        """The open socket, for a selector."""
        assert self._socket is not None
        return self._socket

    def touch(self, timeout: float) -> None:
        """Open it, or show that it is still open, with a HEAD request; blocks.

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
                while self._answers:
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
        if not fresh:  # the first request of a connection may wait for more than the way
            self.round_trip_s = time.monotonic() - begin

    def send(self, method: str, target: str, wanted: str | None) -> None:
        """Send a request.

        Args:
            method: GET or HEAD.
            target: Path and query.
            wanted: Value of the Range header, if any.

        Raises:
            OSError, h11.ProtocolError: The connection is no good.
        """
        host = self._parts.netloc.rpartition("@")[2]
        headers = [("host", host), ("user-agent", self._agent), ("accept", "*/*")]
        headers.append(("accept-encoding", "identity"))
        if wanted is not None:
            headers.append(("range", wanted))
        answer = h11.Connection(h11.CLIENT)
        data = answer.send(h11.Request(method=method, target=target, headers=headers))
        data = (data or b"") + (answer.send(h11.EndOfMessage()) or b"")
        # a few requests of some hundred bytes fit into every send buffer
        if self.socket.send(data) != len(data):
            raise OSError("the connection takes no more")
        self._answers.append(answer)

    def receive(self, give: Callable[[int, bytes], None]) -> int:
        """Take what has arrived; gives offset and bytes of the bodies. How many answers it completed.

        Raises:
            OSError, h11.ProtocolError: The connection broke, or an answer is not the range asked for.
        """
        before = len(self._answers)
        while self._answers:
            event = self._next_event(self._receive_now)
            if event is None:
                break
            if isinstance(event, h11.Response):
                self._accept(event)
            elif isinstance(event, h11.Data) and self._is_part:
                data = bytes(event.data)
                give(self.start, data)
                self.start += len(data)
        return before - len(self._answers)

    def close(self) -> None:
        """Close it; `touch` opens it again."""
        if self._stream is not None:
            self._stream.close()
        self._socket = self._stream = None
        self._answers.clear()
        self._last = False
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
        """The next event of the oldest unanswered request; None when more has to arrive."""
        answer = self._answers[0]
        while True:
            event = answer.next_event()
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    self._end(answer)
                return event
            data = receive(READ_SIZE)
            if data is None:
                return None
            if not data:
                raise OSError("the origin closed the connection")
            answer.receive_data(data)

    def _end(self, answer: h11.Connection) -> None:
        """What came behind the end of an answer belongs to the next one."""
        self._answers.popleft()
        self._ended = time.monotonic() if self._answers else None
        rest = answer.trailing_data[0]
        self._last = answer.their_state is h11.MUST_CLOSE
        if self._answers and self._last:
            raise OSError("the origin answers no more requests on this connection")
        if rest:  # no bytes would mean that the connection has ended
            if not self._answers:
                raise OSError("the origin sent more than it was asked for")
            self._answers[0].receive_data(rest)

    def _accept(self, response: h11.Response) -> None:
        headers = dict(response.headers.raw_items())
        headers = {name.lower(): value for name, value in headers.items()}
        span = _CONTENT_RANGE.fullmatch(headers.get(b"content-range", b""))
        self._is_part = response.status_code == 206
        # 416: the resource ends before this range, which is as good an answer
        if response.status_code in BUSY:
            raise Busy(f"the origin answered {response.status_code} to a range")
        if span is None or response.status_code not in (206, 416) or self._is_part == (span[1] is None):
            raise NoRange(f"the origin answered {response.status_code} to a range")
        self.pause_s = 0.0 if self._ended is None else time.monotonic() - self._ended
        tag = headers.get(b"etag", b"").decode("latin-1")
        self.start, self.total = int(span[1] or 0), int(span[2])
        self.tag = "" if tag.startswith("W/") else tag


class NoRange(OSError):  # noqa: N818 - an answer, only not the one that helps
    """The origin answered, but not with the range."""


class Busy(OSError):  # noqa: N818 - as above
    """The origin has no room for this request now."""
