"""The ASGI application of the demo origin: serves a folder, with byte ranges and faults on demand."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from touchline_lab.demo_origin.faults import NO_FAULT, Fault, fault_from_query
from touchline_lab.demo_origin.log import OriginLog, OriginRequest

CHUNK = 64 * 1024
"""Bytes that are sent at once; fewer if a fault limits the rate."""
CONTENT_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".html": "text/html"}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Connections(Protocol):
    """Numbers the TCP connections, and can abort them."""

    def begin(self, client_port: int) -> None:
        """Note that a request on that connection has begun."""

    def end(self, client_port: int) -> None:
        """Note that a request on that connection has ended."""

    def number(self, client_port: int) -> int:
        """The number of the connection that reached the server from this port."""

    def abort(self, client_port: int) -> None:
        """Abort that connection with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Body:
    """The content of a file, read once.

    Attributes:
        data: The bytes.
        etag: A strong entity tag.
        content_type: Media type, by the suffix of the file.
    """

    data: bytes
    etag: str
    content_type: str


class FolderApp:
    """Serves the files of one folder.

    Args:
        folder: The folder; nothing outside of it is served.
        log: Counts requests and bytes.
        connections: Numbers the connections, and aborts them for faults.
        closing: Set when the origin stops, so that stalled responses end.
        ranges: Whether byte ranges are offered.
    """

    def __init__(
        self,
        folder: Path,
        log: OriginLog,
        connections: Connections,
        closing: asyncio.Event,
        ranges: bool = True,
    ) -> None:
        self._folder = folder.resolve()
        self._log = log
        self._connections = connections
        self._closing = closing
        self._ranges = ranges
        self._bodies: dict[tuple[Path, int, int], Body] = {}
        self.faults: dict[str, Fault] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope; scopes other than HTTP requests and the life span are refused."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the demo origin does not answer {scope['type']!r}")
        gone = asyncio.create_task(self._until_gone(receive))
        self._connections.begin(scope["client"][1])
        try:
            await self._answer(scope, send, gone)
        finally:
            self._connections.end(scope["client"][1])
            gone.cancel()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _until_gone(self, receive: Receive) -> None:
        """Return when the client has reset the stream or left, or the origin stops."""
        closing = asyncio.create_task(self._closing.wait())
        try:
            while not self._closing.is_set():
                message = asyncio.ensure_future(receive())
                await asyncio.wait({message, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not message.done():
                    message.cancel()
                    return
                if message.result()["type"] == "http.disconnect":
                    return
        finally:
            closing.cancel()

    async def _answer(self, scope: Scope, send: Send, gone: asyncio.Task[None]) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        wanted = headers.get(b"range", b"").decode("latin-1") or None
        query = scope["query_string"].decode("latin-1")
        fault = fault_from_query(query, self.faults.get(scope["path"], NO_FAULT))
        body = self._body(scope["path"])
        connection = self._connections.number(scope["client"][1])
        status, start, stop = self._plan(scope["method"], fault, body, wanted)
        if fault.maximum_connections is not None and connection > fault.maximum_connections:
            status = 503
        self._log.request(
            OriginRequest(
                method=scope["method"],
                path=scope["path"],
                query=query,
                range=wanted,
                http_version=scope["http_version"],
                connection=connection,
                status=status,
            )
        )
        if fault.delay:
            await asyncio.wait({gone}, timeout=fault.delay)
        if status in (200, 206) and body is not None:
            await send(_head(status, body, start, stop, fault, self._offers_ranges(fault)))
            await self._send_body(scope, send, gone, body.data[start:stop], fault)
        else:
            await self._send_text(scope, send, status, fault, body)

    def _offers_ranges(self, fault: Fault) -> bool:
        return self._ranges and not fault.no_range

    def _plan(self, method: str, fault: Fault, body: Body | None, wanted: str | None) -> tuple[int, int, int]:
        if fault.redirect is not None:
            return 302, 0, 0
        if fault.status is not None:
            return fault.status, 0, 0
        if method not in ("GET", "HEAD"):
            return 405, 0, 0
        if body is None:
            return 404, 0, 0
        size = len(body.data)
        if wanted is None or not self._offers_ranges(fault):
            return 200, 0, size
        return parse_range(wanted, size)

    def _body(self, path: str) -> Body | None:
        file = (self._folder / path.lstrip("/")).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            return None
        stat = file.stat()
        key = (file, stat.st_mtime_ns, stat.st_size)
        if key not in self._bodies:
            data = file.read_bytes()
            etag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
            kind = CONTENT_TYPES.get(file.suffix, "application/octet-stream")
            self._bodies[key] = Body(data, etag, kind)
        return self._bodies[key]

    async def _send_text(
        self, scope: Scope, send: Send, status: int, fault: Fault, body: Body | None
    ) -> None:
        text = f"{status}\n".encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
        if fault.redirect is not None:
            headers.append((b"location", fault.redirect.encode()))
        headers += [(name.lower().encode(), value.encode()) for name, value in fault.headers]
        if status == 416 and body is not None:
            headers.append((b"content-range", b"bytes */%d" % len(body.data)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})

    async def _send_body(
        self, scope: Scope, send: Send, gone: asyncio.Task[None], data: bytes, fault: Fault
    ) -> None:
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        limit = fault.limit
        stop = len(data) if limit is None else min(limit, len(data))
        step = CHUNK if fault.rate is None else max(1, min(CHUNK, int(fault.rate / 20)))
        for at in range(0, stop, step):
            if gone.done():
                return
            chunk = data[at : min(at + step, stop)]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self._log.sent(len(chunk))
            if fault.rate is not None:
                await asyncio.wait({gone}, timeout=len(chunk) / fault.rate)
        if limit is None:
            await send({"type": "http.response.body", "body": b""})
        elif fault.stall_after == limit:
            await asyncio.wait({gone})
        elif fault.reset_after == limit and scope["http_version"] == "2":
            await _drain_h2(send)
            await _reset_h2_stream(send)
        else:
            if scope["http_version"] == "2":
                await _drain_h2(send)
            self._connections.abort(scope["client"][1])


def parse_range(header: str, size: int) -> tuple[int, int, int]:
    """Read a single byte range.

    Args:
        header: The `Range` header's value.
        size: The length of the whole body.

    Returns:
        Status, first byte and the byte after the last one: 206 for a range that can be served, 416 for one
        that lies outside the body, 200 for one that is not understood (RFC 9110 has it ignored).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return 200, 0, size
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (206, size - length, size) if length else (416, 0, 0)
    if last and int(last) < int(first):
        return 200, 0, size
    if int(first) >= size:
        return 416, 0, 0
    return 206, int(first), min(int(last) + 1, size) if last else size


def _head(status: int, body: Body, start: int, stop: int, fault: Fault, ranges: bool) -> Mapping[str, Any]:
    headers = [(b"content-type", body.content_type.encode()), (b"etag", body.etag.encode())]
    if ranges:
        headers.append((b"accept-ranges", b"bytes"))
    if not fault.no_length:
        headers.append((b"content-length", b"%d" % (stop - start)))
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, len(body.data))))
    further = {name.lower().encode(): value.encode() for name, value in fault.headers}
    headers = [(name, value) for name, value in headers if name not in further] + list(further.items())
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _drain_h2(send: Any) -> None:
    """Wait until all bytes so far have been sent; buffered bytes would be lost with the stream."""
    stream = send.__self__
    buffer = stream.send.__self__.stream_buffers.get(stream.stream_id)
    if buffer is not None:
        await buffer.drain()


async def _reset_h2_stream(send: Any) -> None:
    """Send RST_STREAM; ASGI has no message for it, so this uses the objects behind hypercorn's `send`."""
    stream = send.__self__
    protocol = stream.send.__self__
    protocol.connection.reset_stream(stream.stream_id, error_code=2)
    await protocol._flush()
