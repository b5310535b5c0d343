"""Counts connections, handshakes and requests at the demo origin."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class OriginStats:
    """Counts since the start of the origin.

    Attributes:
        connections: TCP connections accepted.
        handshakes: TLS handshakes begun (a ClientHello came).
        open: Connections open now.
        requests: Requests that reached the application.
        body_bytes: Body bytes handed to the server.
    """

    connections: int = 0
    handshakes: int = 0
    open: int = 0
    requests: int = 0
    body_bytes: int = 0


@dataclass(frozen=True, slots=True)
class OriginRequest:
    """One request, as the application saw it.

    Attributes:
        method: GET, HEAD or another.
        path: The path without the query.
        query: The query without its question mark.
        range: The `Range` header, or None.
        http_version: `2` or `1.1`.
        connection: Number of its TCP connection, from 1.
        status: Status code of the response.
    """

    method: str
    path: str
    query: str
    range: str | None
    http_version: str
    connection: int
    status: int


class OriginLog:
    """Counters and request log; written by the thread of the origin, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = OriginStats()
        self._requests: list[OriginRequest] = []

    def connected(self) -> int:
        """Count an accepted connection; returns its number, from 1."""
        with self._lock:
            self._stats = replace(
                self._stats, connections=self._stats.connections + 1, open=self._stats.open + 1
            )
            return self._stats.connections

    def disconnected(self) -> None:
        """Count a connection as closed."""
        with self._lock:
            self._stats = replace(self._stats, open=self._stats.open - 1)

    def handshake(self) -> None:
        """Count a ClientHello."""
        with self._lock:
            self._stats = replace(self._stats, handshakes=self._stats.handshakes + 1)

    def request(self, request: OriginRequest) -> None:
        """Count and record a request."""
        with self._lock:
            self._stats = replace(self._stats, requests=self._stats.requests + 1)
            self._requests.append(request)

    def sent(self, count: int) -> None:
        """Count body bytes."""
        with self._lock:
            self._stats = replace(self._stats, body_bytes=self._stats.body_bytes + count)

    def stats(self) -> OriginStats:
        """The counts now."""
        with self._lock:
            return self._stats

    def requests(self) -> list[OriginRequest]:
        """All requests so far, oldest first."""
        with self._lock:
            return list(self._requests)
