"""Origins that a test scripts byte by byte, over TLS on the loopback: no real server would do that."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import trustme

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
HELD_AT = 300_000
"""Bytes of a body that come before an event is waited for."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the origin read it; `number` counts those of its connection from 1."""

    method: str
    target: str
    headers: dict[str, str]
    number: int

    def span(self, size: int) -> tuple[int, int] | None:
        """First byte and the byte behind the last one of the range that is asked for, if one is."""
        found = _RANGE.fullmatch(self.headers.get("range", ""))
        if found is None:
            return None
        if not found[1]:
            return max(0, size - int(found[2])), size
        return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size


@cache
def _authority() -> trustme.CA:
    """One for all origins, so that one pool can trust several."""
    return trustme.CA()


class TlsOrigin:
    """Listens with TLS and serves each connection in a thread of its own; a context manager.

    Args:
        port: Its port; 0: a free one.
        own_authority: Whether the authority that `ca_file` holds did not sign its certificate.
        tls: Whether it speaks TLS at all.

    Attributes:
        ca_file: The authority that signed its certificate.
        requests: What it was asked, in order.
        connections: How many were accepted.
        open: How many of them are open.
    """

    protocol = "http/1.1"

    def __init__(self, *, port: int = 0, own_authority: bool = False, tls: bool = True) -> None:
        authority = _authority()
        self._tls = tls
        self._folder = tempfile.TemporaryDirectory()
        self.ca_file = Path(self._folder.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        signer = trustme.CA() if own_authority else authority
        signer.issue_cert("127.0.0.1", "localhost", "clips.test").configure_cert(self._context)
        self._context.set_alpn_protocols([self.protocol])
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.connections = self.open = 0
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def url(self, path: str = "clip.mp4") -> str:
        """The URL of a path."""
        return f"https://127.0.0.1:{self.port}/{path}"

    def serve(self, connection: ssl.SSLSocket) -> None:
        """Answer what comes on one connection."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.stop_listening()
        self._folder.cleanup()

    def stop_listening(self) -> None:
        """Refuse further connections."""
        with contextlib.suppress(OSError):  # closing alone does not wake the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.open += 1
        with accepted, contextlib.suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._tls:
                accepted.recv(65536)
                accepted.sendall(text_response(400))
                return
            with self._context.wrap_socket(accepted, server_side=True) as connection:
                self.serve(connection)
        with self._lock:
            self.open -= 1


Handler = Callable[[ssl.SSLSocket, Request], bool]


class Http1Origin(TlsOrigin):
    """HTTP/1.1: `handler(connection, request)` sends what it likes; whether the connection goes on."""

    def __init__(
        self, handler: Handler, *, port: int = 0, own_authority: bool = False, tls: bool = True
    ) -> None:
        super().__init__(port=port, own_authority=own_authority, tls=tls)
        self._handler = handler

    def serve(self, connection: ssl.SSLSocket) -> None:
        buffer, number = b"", 0
        while not self.closing.is_set():
            while b"\r\n\r\n" not in buffer:
                data = connection.recv(65536)
                if not data:
                    return
                buffer += data
            text, _, buffer = buffer.partition(b"\r\n\r\n")
            first, *lines = text.decode("latin-1").split("\r\n")
            fields = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            number += 1
            request = Request(first.split(" ")[0], first.split(" ")[1], headers, number)
            self.requests.append(request)
            if not self._handler(connection, request):
                return

    def drip(self, connection: ssl.SSLSocket, data: bytes, pause_s: float = 0.05) -> None:
        """Send the same bytes again and again, so that no silence ever lasts, until the client leaves."""
        while not self.closing.wait(pause_s):
            connection.sendall(data)


def file_response(data: bytes, request: Request, *headers: str) -> bytes:
    """What a good origin answers with a file of these bytes."""
    span = request.span(len(data))
    status, part, lines = "200 OK", data, ["Accept-Ranges: bytes", *headers]
    if span is not None and span[0] >= len(data):
        return f"HTTP/1.1 416 X\r\nContent-Range: bytes */{len(data)}\r\nContent-Length: 0\r\n\r\n".encode()
    if span is not None:
        status, part = "206 Partial Content", data[slice(*span)]
        lines.append(f"Content-Range: bytes {span[0]}-{span[1] - 1}/{len(data)}")
    lines.append(f"Content-Length: {len(part)}")
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines, ""))
    return head.encode("latin-1") + (b"" if request.method == "HEAD" else part)


def text_response(status: int, *headers: str) -> bytes:
    """A short answer that is not the file."""
    lines = (f"HTTP/1.1 {status} X", *headers, "Content-Length: 0", "")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


@dataclass(slots=True)
class _Sending:
    data: bytes
    sent: int = 0


@dataclass(slots=True)
class Http2Script:
    """What an HTTP/2 origin does beside answering; byte counts are those of a connection's bodies.

    Attributes:
        max_streams: Streams at a time that it states at the beginning; None: it states nothing.
        lower_after: After so many bytes ...
        lower_to: ... it states this number instead.
        go_away_after: After so many bytes it sends GOAWAY and finishes what it has begun.
        close_after: After so many bytes it closes the connection.
        rest_may_come: Until this is set no body goes beyond its first HELD_AT bytes.
        reset_after: After so many bytes of a body it resets that stream (INTERNAL_ERROR).
        turned_away: So many requests are not processed: the connection ends with a GOAWAY that says so.
        rate: Bytes a second over all bodies of a connection.
        etags: The entity tag of each response in turn; the last one stays.
        silent: It answers no request, but sends a PING now and then.
    """

    max_streams: int | None = None
    lower_after: int | None = None
    lower_to: int = 1
    go_away_after: int | None = None
    close_after: int | None = None
    rest_may_come: threading.Event | None = None
    reset_after: int | None = None
    turned_away: int = 0
    rate: float = 50_000_000.0
    etags: list[str] = field(default_factory=lambda: ['"one"'])
    silent: bool = False


class Http2Origin(TlsOrigin):
    """HTTP/2: one file under every path, ranges, and a script of what it does wrong."""

    protocol = "h2"

    def __init__(self, data: bytes, script: Http2Script) -> None:
        super().__init__()
        self._data = data
        self._script = script

    def serve(self, connection: ssl.SSLSocket) -> None:
        _Http2Session(self, connection, self._data, self._script).run()


class _Http2Session:
    def __init__(
        self, origin: Http2Origin, connection: ssl.SSLSocket, data: bytes, script: Http2Script
    ) -> None:
        self._origin = origin
        self._connection = connection
        self._data = data
        self._script = script
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        limit = (
            {}
            if script.max_streams is None
            else {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: script.max_streams}
        )
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values=limit)
        self._sending: dict[int, _Sending] = {}
        self._sent = 0
        self._goes_away = False
        self._last = 0

    def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        while not self._origin.closing.is_set():
            if self._connection.pending() or select.select([self._connection], [], [], self._pause())[0]:
                data = self._connection.recv(65536)
                if not data:
                    return
                for event in self._h2.receive_data(data):
                    self._handle(event)
                self._flush()
            if not self._send_some():
                return

    def _pause(self) -> float:
        can_send = any(self._room(number, sending) > 0 for number, sending in self._sending.items())
        return 0.0 if can_send else 0.05

    def _room(self, number: int, sending: _Sending) -> int:
        """How many bytes of a body can be sent now."""
        rest = self._script.rest_may_come
        held = rest is not None and not rest.is_set()
        left = HELD_AT - sending.sent if held else len(sending.data)
        return min(self._h2.local_flow_control_window(number), left, 16_384)

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._answer(event)
        elif isinstance(event, h2.events.StreamReset):
            self._sending.pop(event.stream_id, None)

    def _answer(self, event: h2.events.RequestReceived) -> None:
        fields = {name.decode(): value.decode("latin-1") for name, value in event.headers or []}
        request = Request(fields[":method"], fields[":path"], fields, len(self._origin.requests) + 1)
        self._origin.requests.append(request)
        if self._script.silent and request.method == "GET":
            return
        if self._script.turned_away:
            self._script.turned_away -= 1
            self._h2.close_connection(last_stream_id=0)
            self._goes_away = True
            return
        etags = self._script.etags
        etag = etags.pop(0) if len(etags) > 1 and request.method == "GET" else etags[0]
        span = request.span(len(self._data))
        if request.headers.get("if-range", etag) != etag:
            span = None
        part = self._data[slice(*span)] if span else self._data
        head = [(":status", "206" if span else "200"), ("etag", etag), ("content-length", str(len(part)))]
        if span:
            head.append(("content-range", f"bytes {span[0]}-{span[1] - 1}/{len(self._data)}"))
        is_head = request.method == "HEAD"
        self._last = event.stream_id or 0
        self._h2.send_headers(self._last, head, end_stream=is_head)
        if not is_head:
            self._sending[self._last] = _Sending(part)

    def _send_some(self) -> bool:
        script = self._script
        if script.silent:
            self._h2.ping(b"anything")
        for number, sending in list(self._sending.items()):
            chunk = sending.data[sending.sent : sending.sent + self._room(number, sending)]
            if not chunk:
                continue
            sending.sent += len(chunk)
            self._sent += len(chunk)
            done = sending.sent == len(sending.data)
            self._h2.send_data(number, chunk, end_stream=done)
            self._flush()
            if done:
                del self._sending[number]
            elif script.reset_after is not None and sending.sent >= script.reset_after:
                self._h2.reset_stream(number, h2.errors.ErrorCodes.INTERNAL_ERROR)
                del self._sending[number]
            time.sleep(len(chunk) / script.rate)
        if script.lower_after is not None and self._sent >= script.lower_after:
            script.lower_after = None
            limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: script.lower_to}
            self._h2.update_settings(limit)
        if script.go_away_after is not None and self._sent >= script.go_away_after and not self._goes_away:
            self._goes_away = True
            self._flush()
            payload = self._last.to_bytes(4, "big") + bytes(4)
            self._connection.sendall(len(payload).to_bytes(3, "big") + b"\x07" + bytes(5) + payload)
        self._flush()
        if script.close_after is not None and self._sent >= script.close_after:
            self._close_when_all_arrived()
            return False
        return not (self._goes_away and not self._sending)

    def _close_when_all_arrived(self) -> None:
        """A close with unread bytes of the client would throw away what it has not received yet."""
        self._connection.shutdown(socket.SHUT_WR)
        while self._connection.recv(65536):
            pass

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._connection.sendall(data)
