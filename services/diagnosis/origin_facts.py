"""What an origin is like: protocol, server, redirects, ranges, pipelined requests, index place."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from services.byte_span import ByteSpan
from services.deadline import Deadline
from services.download.origins import origin_of
from services.download.pipelining import answers_pipelined, idle_timeout_s
from services.download.pool import ConnectionPool
from services.errors import TransportError
from services.settings import Settings

HEAD_BYTES: Final = 64 * 1024
"""Bytes of the front that are asked for: they hold the first boxes of an MP4 file."""
PROBE_S: Final = 30.0
"""Seconds for one request of the examination."""

IndexPlace = Literal["front", "end", "none"]


@dataclass(frozen=True, slots=True)
class OriginFacts:
    """What one request on an open connection, and a few more, have shown.

    Attributes:
        final_url: The URL after all redirects.
        redirects: The redirects as `status url`.
        protocol: `HTTP/2` or `HTTP/1.1`.
        server: The `Server` header, or empty.
        size: Length of the resource in bytes; None when the origin does not tell.
        ranges: Whether a Range request was answered with that range.
        pipelined: Whether requests ahead of their answers are answered over HTTP/1.1; None: not tried.
        index: Where an MP4 file has its index; `none`: the first bytes are those of another format.
        round_trip_s: The shortest answer to a HEAD request for the root of the origin on an open connection.
        idle_timeout_s: Seconds after which an idle HTTP/1.1 connection is closed; None: longer, or not tried.
        idle_tried_s: Seconds for which that was tried.
    """

    final_url: str
    redirects: tuple[str, ...]
    protocol: str
    server: str
    size: int | None
    ranges: bool
    pipelined: bool | None
    index: IndexPlace
    round_trip_s: float
    idle_timeout_s: float | None = None
    idle_tried_s: float = 0.0


def examine(url: str, pool: ConnectionPool, settings: Settings, idle_s: float = 0.0) -> OriginFacts:
    """Ask an origin what it does.

    Args:
        url: The clip.
        pool: Whose connections are used.
        settings: Time-outs.
        idle_s: Seconds to wait for the origin to close an idle connection; 0: that is not tried.

    Raises:
        ChallengeError: The clip cannot be fetched at all.
    """
    deadline = Deadline.after(PROBE_S)
    with pool.open(url, deadline, wanted=ByteSpan(0, HEAD_BYTES)) as exchange:
        response = exchange.response
        front = bytearray()
        for chunk in exchange.chunks():
            front += chunk
            if len(front) >= HEAD_BYTES:
                break
    headers, final = response.headers, str(response.url)
    ranges = response.status_code == 206
    size = _size(headers, ranges)
    pipelined, idle = _try_connection(final, pool, settings, size if ranges else None, idle_s)
    return OriginFacts(
        final_url=final,
        redirects=tuple(f"{redirect.status} {redirect.url}" for redirect in exchange.redirects),
        protocol=exchange.protocol,
        server=headers.get("server", ""),
        size=size,
        ranges=ranges,
        pipelined=pipelined,
        index=index_place(bytes(front)),
        round_trip_s=min(pool.touch(origin_of(final)) for _ in range(2)),
        idle_timeout_s=idle,
        idle_tried_s=idle_s,
    )


def _size(headers: Mapping[str, str], ranges: bool) -> int | None:
    length = headers.get("content-length", "")
    text = headers.get("content-range", "").rpartition("/")[2] if ranges else length
    return int(text) if text.isdigit() else None


def _try_connection(
    url: str, pool: ConnectionPool, settings: Settings, size: int | None, idle_s: float
) -> tuple[bool | None, float | None]:
    """Pipelined requests, where there are ranges, and the idle time-out, where it is asked for."""
    limit = settings.connect_timeout_s + settings.stall_timeout_s
    connection = pool.range_connections.make_connection(url)
    pipelined, idle = None, None
    try:
        if size:
            connection.touch(limit)
            parts = urlsplit(url)
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            pipelined = answers_pipelined(connection, target, size, settings.stall_timeout_s)
        if idle_s:
            if not connection.is_open:
                connection.close()
            connection.touch(limit)
            idle = idle_timeout_s(connection, idle_s)
    except TransportError:
        return (False if size else None), idle  # no HTTP/1.1 at all, for instance
    finally:
        connection.close()
    return pipelined, idle


def index_place(front: bytes) -> IndexPlace:
    """Where an MP4 file has its index, by its first boxes (ISO/IEC 14496-12, 6.2.3)."""
    at = 0
    while at + 8 <= len(front):
        size, kind = struct.unpack(">I4s", front[at : at + 8])
        if kind == b"moov":
            return "front"
        if kind == b"mdat":
            return "end"
        if size < 8 or not kind.isalnum():
            break
        at += size
    # a box of the front that is longer than what was asked for still says what kind of file this is
    return "end" if front[4:8] == b"ftyp" else "none"
