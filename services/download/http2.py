"""One HTTP/2 connection, for httpcore's pool.

httpcore has one of its own. It waits without a time-out where an origin allows few streams at a time (for
ever when the thread that reads the first stream opens the second), leaves an abandoned body running until
the connection's flow-control window is used up, and expects that one request is sent at a time. This one
knows how many streams the origin allows and says so (`is_available`), resets what nobody reads on (RFC 9113,
section 5.4.2), and ends every wait with the time-out of its request.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httpcore

from services.download.patience import Timeouts

READ_BYTES: Final = 64 * 1024
"""Bytes of one read from the socket."""
MAX_STREAMS: Final = 100
"""Streams at a time, where the origin allows as many or states no number (RFC 9113, section 6.5.2)."""
WINDOW_BYTES: Final = 1 << 24
"""How far an origin may send ahead of what is read: 16 MB, more than any link holds."""
MAX_HEADER_BYTES: Final = 64 * 1024
"""Longest response head that is accepted."""
RESET_WRITE_S: Final = 1.0
"""Seconds in which some dozen bytes about a stream that was given up have to be taken."""
_STATUS: Final = re.compile(rb"[1-9]\d\d")
_FRAME_HEADER: Final = 9
"""Bytes in front of each frame (RFC 9113, section 4.1)."""
_GOAWAY: Final = 7
"""Frame type of GOAWAY (RFC 9113, section 6.8)."""
MAX_TURNED_AWAY: Final = 5
"""Connections, one after the other, that may send a request away unprocessed."""
WAKE_S: Final = 0.05
"""Seconds after which a thread that reads looks whether its stream was given up meanwhile."""


class _Stream:
    """One request and what has arrived of its response."""

    def __init__(self) -> None:
        self.head: list[tuple[bytes, bytes]] | None = None
        self.data: deque[tuple[bytes, int]] = deque()
        """Parts of the body that nobody has read yet, with their lengths for flow control."""
        self.complete = False
        self.closed = False
        """Whether the origin has ended it, complete or not."""
        self.error: Exception | None = None


class Http2Connection(httpcore.ConnectionInterface):
    """An HTTP/2 connection for any number of threads.

    Whichever thread waits for its response reads from the socket, for all of them. The lock guards the state
    only: nobody holds it while waiting for the network. What is sent, some hundred bytes at a time, is sent
    under a lock of its own.

    Args:
        origin: Its only origin.
        stream: The connected socket, after TLS chose `h2`.
        keepalive_expiry: Seconds after which an idle connection counts as expired.
    """

    def __init__(
        self, origin: httpcore.Origin, stream: httpcore.NetworkStream, keepalive_expiry: float
    ) -> None:
        self._origin = origin
        self._socket = stream
        self._keepalive_expiry = keepalive_expiry
        self._changed = threading.Condition()
        self._write_lock = threading.Lock()
        self._streams: dict[int, _Stream] = {}
        self._is_read = False
        self._max_streams = MAX_STREAMS
        self._goes_away = False
        self._buffer = bytearray()
        self._error: Exception | None = None
        self._last_read = self._idle_since = time.monotonic()
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(validate_inbound_headers=False))
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
            },
        )
        # some origins break the connection off when a client sends this one
        del self._h2.local_settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW_BYTES)

    # -- what the pool asks -----------------------------------------------------------------------------

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        """Whether it leads to that origin."""
        return origin == self._origin

    def is_available(self) -> bool:
        """Whether one more request can be sent now."""
        with self._changed:
            return self._can_open()

    def has_expired(self) -> bool:
        """Whether it has been idle for too long."""
        with self._changed:
            return not self._streams and time.monotonic() - self._idle_since > self._keepalive_expiry

    def is_idle(self) -> bool:
        """Whether no request is on it."""
        return not self._streams

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        with self._changed:
            return self._error is not None or (self._goes_away and not self._streams)

    def info(self) -> str:
        """A short description."""
        state = "CLOSED" if self.is_closed() else f"{len(self._streams)} of {self._max_streams} streams"
        return f"{str(self._origin)!r}, HTTP/2, {state}"

    def close(self) -> None:
        """Close it; whoever waits gets an error."""
        self._fail(httpcore.ReadError("the connection was closed"))

    # -- requests ---------------------------------------------------------------------------------------

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request without a body and wait for the head of its response.

        Raises:
            httpcore.ConnectionNotAvailable: Nothing was sent, or the origin did not look at it; another
                connection can answer it.
            httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError
        """
        timeouts: Timeouts = request.extensions["timeout"]
        with self._changed:
            if not self._can_open():
                raise httpcore.ConnectionNotAvailable
            number = self._h2.get_next_available_stream_id()
            stream = self._streams[number] = _Stream()
            self._h2.send_headers(number, _request_head(request), end_stream=True)
        try:
            self._flush(timeouts["write"])
            timeouts.sent_at = time.perf_counter()
            self._wait(stream, timeouts, lambda: stream.head is not None)
        except httpcore.ConnectionNotAvailable as error:
            self.end(number)
            timeouts.turned_away += 1
            if timeouts.turned_away == MAX_TURNED_AWAY:
                raise httpcore.RemoteProtocolError("the origin takes no requests") from error
            raise
        except BaseException:
            self.end(number)
            raise
        head = stream.head or []
        status = next((value for name, value in head if name == b":status"), b"")
        if not _STATUS.fullmatch(status):
            self.end(number)
            raise httpcore.RemoteProtocolError("the response has no status")
        return httpcore.Response(
            status=int(status),
            headers=[(name, value) for name, value in head if not name.startswith(b":")],
            content=_Body(self, number, stream, timeouts),
            extensions={
                "http_version": b"HTTP/2",
                "network_stream": self._socket,
                "interrupt": lambda: self._interrupt(stream),
            },
        )

    def _can_open(self) -> bool:
        limit = min(self._max_streams, self._h2.remote_settings.max_concurrent_streams)
        return self._error is None and not self._goes_away and len(self._streams) < limit

    def take(self, stream: _Stream, number: int, timeouts: Timeouts) -> bytes | None:
        """The next part of a body; None at its end."""
        try:
            self._wait(stream, timeouts, lambda: bool(stream.data) or stream.complete)
        except httpcore.ConnectionNotAvailable as error:  # no other connection goes on with a body
            raise httpcore.RemoteProtocolError("the origin took its response back") from error
        with self._changed:
            if not stream.data:
                return None
            data, length = stream.data.popleft()
            if self._error is not None:
                return data
            self._h2.acknowledge_received_data(length, number)
        self._try_to_flush(timeouts["write"])
        return data

    def _interrupt(self, stream: _Stream) -> None:
        """End a read of one stream that another thread is blocked in."""
        with self._changed:
            stream.error = stream.error or httpcore.ReadError("given up")
            self._changed.notify_all()

    def end(self, number: int) -> None:
        """Nobody reads this stream any more: tell the origin, unless it knows."""
        with self._changed:
            stream = self._streams.pop(number, None)
            if stream is None or self._error is not None:
                return
            self._idle_since = time.monotonic()
            # what was received but not read yet still counts against the connection's window
            unread = sum(length for _, length in stream.data)
            if unread:
                self._h2.acknowledge_received_data(unread, number)
            if not stream.closed:
                self._h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
            is_last = self._goes_away and not self._streams
        self._try_to_flush(RESET_WRITE_S)
        if is_last:
            self.close()

    # -- the network ------------------------------------------------------------------------------------

    def _wait(self, stream: _Stream, timeouts: Timeouts, is_ready: Callable[[], bool]) -> None:
        """Wait until something has arrived for a stream; read for all streams unless another thread does."""
        begun = time.monotonic()
        while True:
            with self._changed:
                if is_ready():
                    return
                error = stream.error or self._error
                if error is not None:
                    raise error
                patience = timeouts["read"]
                # bytes of a frame that is not complete are a sign of life
                silent_s = time.monotonic() - max(begun, self._last_read)
                left = min(patience - silent_s, patience.left)
                if left > 0 and self._is_read:
                    self._changed.wait(left)
                    continue
                self._is_read = left > 0 or self._is_read
            if left <= 0:
                silence = httpcore.ReadTimeout(f"nothing arrived for {silent_s:.1f} s")
                if silent_s >= patience:
                    self._fail(silence)
                raise silence
            self._read(min(left, WAKE_S))

    def _read(self, seconds: float) -> None:
        data: bytes | None = None
        try:
            with suppress(httpcore.ReadTimeout):
                data = self._socket.read(READ_BYTES, seconds)
        except httpcore.NetworkError as error:
            self._fail(error)
        finally:
            with self._changed:
                self._is_read = False
                if data is not None and self._error is None:
                    self._last_read = time.monotonic()
                    self._receive(data)
                self._changed.notify_all()
        if data:
            self._try_to_flush(RESET_WRITE_S)

    def _receive(self, data: bytes) -> None:
        if not data:
            self._fail(httpcore.RemoteProtocolError("the origin closed the connection"))
            return
        self._buffer += data
        try:
            while len(self._buffer) >= _FRAME_HEADER:
                end = _FRAME_HEADER + int.from_bytes(self._buffer[:3], "big")
                if len(self._buffer) < end <= _FRAME_HEADER + self._h2.max_inbound_frame_size:
                    return
                frame = bytes(self._buffer[:end])
                del self._buffer[:end]
                if frame[3] == _GOAWAY and len(frame) >= _FRAME_HEADER + 8:
                    self._go_away(frame[_FRAME_HEADER:])
                    continue
                for event in self._h2.receive_data(frame):
                    self._handle(event)
        except h2.exceptions.ProtocolError as error:
            self._fail(httpcore.RemoteProtocolError(f"broken HTTP/2: {error}"))

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            if h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS in event.changed_settings:
                self._max_streams = MAX_STREAMS
            return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            stream.head = list(event.headers or [])
        elif isinstance(event, h2.events.DataReceived):
            stream.data.append((event.data or b"", event.flow_controlled_length or 0))
        elif isinstance(event, h2.events.StreamEnded):
            stream.complete = stream.closed = True
        elif isinstance(event, h2.events.StreamReset):
            stream.closed = True
            stream.error = self._reset_error(stream, event)

    def _reset_error(self, stream: _Stream, event: h2.events.StreamReset) -> Exception:
        others = len(self._streams) - 1
        if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM and stream.head is None and others:
            self._max_streams = others
            return httpcore.ConnectionNotAvailable()
        return httpcore.RemoteProtocolError(f"the origin reset the stream, error {event.error_code}")

    def _go_away(self, payload: bytes) -> None:
        """The origin takes no more requests here; those up to a number are still answered (RFC 9113, 6.8).

        h2 is not told: it would take nothing in after this.
        """
        self._goes_away = True
        last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
        if code:
            self._fail(httpcore.RemoteProtocolError(f"the origin ended the connection, error {code}"))
        for number, stream in self._streams.items():
            if number > last:
                stream.closed = True
                stream.error = httpcore.ConnectionNotAvailable()

    def _flush(self, timeout: float) -> None:
        """Send what h2 has to say."""
        if not self._write_lock.acquire(timeout=max(0.0, timeout)):
            raise httpcore.WriteTimeout("other requests of the connection are not taken")
        try:
            with self._changed:
                if self._error is not None:
                    raise self._error
                data = self._h2.data_to_send()
            if data:
                self._socket.write(data, timeout)
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            self._fail(error)
            raise
        finally:
            self._write_lock.release()

    def _try_to_flush(self, timeout: float) -> None:
        """Send it; where that fails the connection is marked, and what has arrived counts all the same."""
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
            self._flush(timeout)

    def _fail(self, error: Exception) -> None:
        """The connection is of no use any more."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
        self._socket.close()


class _Body:
    """The body of one response, read as it arrives; closing it gives up the rest."""

    def __init__(self, connection: Http2Connection, number: int, stream: _Stream, timeouts: Timeouts) -> None:
        self._connection = connection
        self._number = number
        self._stream = stream
        self._timeouts = timeouts

    def __iter__(self) -> Iterator[bytes]:
        while (data := self._connection.take(self._stream, self._number, self._timeouts)) is not None:
            yield data

    def close(self) -> None:
        self._connection.end(self._number)


def _request_head(request: httpcore.Request) -> list[tuple[bytes, bytes]]:
    """The request's header fields as HTTP/2 has them."""
    headers = [(name.lower(), value) for name, value in request.headers]
    authority = next(value for name, value in headers if name == b"host")
    return [
        (b":method", request.method),
        (b":authority", authority),
        (b":scheme", request.url.scheme),
        (b":path", request.url.target),
        *((name, value) for name, value in headers if name not in (b"host", b"transfer-encoding")),
    ]
