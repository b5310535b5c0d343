"""httpx's transport over our own connections."""

from __future__ import annotations

import ssl
import threading
import time
from typing import Final

import httpcore
import httpx

from services.download.http2 import Http2Connection
from services.download.patience import Timeouts
from services.download.sockets import GuardedBackend

KEEPALIVE_EXPIRY_S: Final = 3600.0
"""Seconds. httpx drops idle connections after 5 s by default; the origin's own time-out is what should
count."""
MAX_CONNECTIONS: Final = 64
"""Open connections of one process over all origins, without range connections."""


class OriginConnection(httpcore.ConnectionInterface):
    """A connection to an origin, opened by its first request; HTTP/2 where the origin speaks it.

    Args:
        origin: Scheme, host and port.
        context: TLS, offering both protocols.
        backend: How sockets are opened.

    Attributes:
        protocol: `HTTP/2` or `HTTP/1.1`; empty until it is open.
    """

    def __init__(self, origin: httpcore.Origin, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        self._origin = origin
        self._context = context
        self._backend = backend
        self._opening = threading.Lock()
        self._open: httpcore.ConnectionInterface | None = None
        self._failed = False
        self.protocol = ""

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; the first one opens the connection, others wait for that as long as they may."""
        timeouts: Timeouts = request.extensions["timeout"]
        if not self._opening.acquire(timeout=max(0.0, timeouts["connect"].left)):
            raise httpcore.ConnectTimeout("the connection is still being opened")
        try:
            if self._failed:
                raise httpcore.ConnectionNotAvailable
            if self._open is None:
                self._open = self._connect(timeouts)
        except httpcore.ConnectionNotAvailable:
            raise
        except BaseException:
            self._failed = True
            raise
        finally:
            self._opening.release()
        return self._open.handle_request(request)

    def _connect(self, timeouts: Timeouts) -> httpcore.ConnectionInterface:
        timeouts.expect_silence_only()  # a fresh connection is no guess: give it the whole time
        begun = time.perf_counter()
        timeouts.connect_s = 0.0
        host, limit = self._origin.host.decode("ascii"), timeouts["connect"]
        stream = self._backend.connect_tcp(host, self._origin.port, limit)
        speaks_http2 = False
        if self._origin.scheme == b"https":
            stream = stream.start_tls(self._context, host, limit)
            speaks_http2 = stream.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        timeouts.connect_s = time.perf_counter() - begun
        timeouts.setup = stream.setup
        self.protocol = "HTTP/2" if speaks_http2 else "HTTP/1.1"
        make = Http2Connection if speaks_http2 else httpcore.HTTP11Connection
        return make(self._origin, stream, keepalive_expiry=KEEPALIVE_EXPIRY_S)

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        """Whether it leads to that origin."""
        return origin == self._origin

    def is_available(self) -> bool:
        """Whether a request can be sent now, as far as is known."""
        if self._open is None:  # it may turn out to speak HTTP/2, which takes several
            return not self._failed and self._origin.scheme == b"https"
        return self._open.is_available()

    def has_expired(self) -> bool:
        """Whether it should be closed."""
        return self._failed if self._open is None else self._open.has_expired()

    def is_idle(self) -> bool:
        """Whether no request is on it."""
        return self._failed if self._open is None else self._open.is_idle()

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._failed if self._open is None else self._open.is_closed()

    def info(self) -> str:
        """A short description."""
        if self._open is None:
            return f"{str(self._origin)!r}, {'FAILED' if self._failed else 'CONNECTING'}"
        return self._open.info()

    @property
    def origin(self) -> str:
        """Where it leads to, as a URL."""
        return str(self._origin)

    def close(self) -> None:
        """Close it."""
        if self._open is not None:
            self._open.close()


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport with our own connections; httpx has no public setting for them."""

    def __init__(self, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        super().__init__(verify=context)
        context.set_alpn_protocols(["http/1.1", "h2"])
        self._pool: _ConnectionPool = _ConnectionPool(context, backend)

    def connections(self) -> list[OriginConnection]:
        """The connections that are open, or being opened."""
        return [each for each in self._pool.connections if isinstance(each, OriginConnection)]


class _ConnectionPool(httpcore.ConnectionPool):
    def __init__(self, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        super().__init__(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS // 2)
        self._context = context
        self._backend = backend

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        """Called by httpcore whenever it needs a further one."""
        return OriginConnection(origin, self._context, self._backend)
