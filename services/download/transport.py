"""httpx's transport with our own sockets."""

from __future__ import annotations

import ssl
from typing import Any, Final

import httpcore
import httpx

from services.download.sockets import GuardedBackend

KEEPALIVE_EXPIRY_S: Final = 3600.0
"""Seconds. httpx drops idle connections after 5 s by default; the origin's own time-out is what should
count."""
MAX_CONNECTIONS: Final = 64
"""Open connections of one process over all origins, without range connections."""


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport with our own way of opening sockets; it has no public setting for that."""

    def __init__(self, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS // 2,
            keepalive_expiry=KEEPALIVE_EXPIRY_S,
            http1=True,
            http2=True,
            network_backend=backend,
        )

    def connections(self) -> list[Any]:
        """The open connections, as httpcore sees them."""
        pool = self._pool
        return list(pool.connections) if isinstance(pool, httpcore.ConnectionPool) else []
