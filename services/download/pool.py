"""The warmed connection pool: one per process, made after the fork, one client for all origins.

`get_pool()` and `warmup(url)` are the public face.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
import httpcore
import httpx

from services.deadline import Deadline
from services.download.exchange import Exchange
from services.download.guard import UrlGuard
from services.download.lines import Lines
from services.download.mapping import mapped_errors
from services.download.network import GuardedBackend
from services.errors import SettingsError, SourceRejected
from services.settings import Settings, get_settings

KEEPALIVE_EXPIRY_S = 3600.0
"""httpx drops idle connections after 5 s by default; the origin's own time-out is what should count."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One open connection: its origin, protocol, whether a request is on it, and what the pool says of it."""

    origin: str
    protocol: str
    idle: bool
    description: str


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """State of the pool.

    Attributes:
        connections: The open connections.
        opened: TCP connections opened since the process began.
        requests: Requests sent.
        reused: Requests that went out on a connection that was there already.
        last_warm_s: Seconds since the last successful `warmup`, or None.
    """

    connections: tuple[ConnectionInfo, ...]
    opened: int
    requests: int
    reused: int
    last_warm_s: float | None


_TURN_ENDS = ("connection.connect_tcp.started", "http2.send_request_headers.complete")


class _Trace:
    """Listens to httpcore's trace of one request: was a connection opened, and when did what happen.

    Args:
        on_connect: Called when a connection has to be opened.
        on_sent: Called when the request no longer touches state that another request could race for.
    """

    def __init__(self, on_connect: Callable[[], None], on_sent: Callable[[], None]) -> None:
        self._on_connect = on_connect
        self._on_sent = on_sent
        self.connect_started: float | None = None
        self.connect_ended: float | None = None

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event in _TURN_ENDS:
            self._on_sent()
        if event == "connection.connect_tcp.started":
            self.connect_started = time.perf_counter()
            self._on_connect()
        elif event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.connect_ended = time.perf_counter()


class _Turn:
    """A lock that is given back once, at whichever comes first: the request is out, or it failed."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._held = False

    def __enter__(self) -> _Turn:
        self._lock.acquire()
        self._held = True
        return self

    def done(self) -> None:
        """Give the lock back."""
        if self._held:
            self._held = False
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.done()


class _Transport(httpx.HTTPTransport):
    """httpx's transport with our own way of opening sockets; it has no public setting for that."""

    def __init__(self, context: ssl.SSLContext, backend: GuardedBackend) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=64,
            max_keepalive_connections=32,
            keepalive_expiry=KEEPALIVE_EXPIRY_S,
            http1=True,
            http2=True,
            network_backend=backend,
        )

    def connections(self) -> list[Any]:
        """The open connections, as httpcore sees them."""
        pool = self._pool
        return list(pool.connections) if isinstance(pool, httpcore.ConnectionPool) else []


class ConnectionPool:
    """Warmed connections to all origins of one process.

    Attributes:
        lines: The extra connections for the first bytes.

    Safe to use from several threads. Requests go out one after the other (not their responses, nor the
    opening of connections): httpcore does not guard the next HTTP/2 stream id against two threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = UrlGuard.from_settings(settings)
        self._backend = GuardedBackend(self._guard)
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or certifi.where())
        except OSError as error:
            raise SettingsError(f"CA_FILE={settings.ca_file!r}: cannot be read: {error}") from error
        self._transport = _Transport(context, self._backend)
        self._client = httpx.Client(
            transport=self._transport,
            headers={"user-agent": settings.user_agent, "accept": "*/*", "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )
        self.lines = Lines(self._backend, settings)
        self._send_lock = threading.Lock()
        self._stats_lock = threading.Lock()
        self._requests = 0
        self._reused = 0
        self._last_warm: float | None = None
        self._origins: dict[str, None] = {}

    # -- requests -----------------------------------------------------------------------------------

    @contextmanager
    def open(
        self, url: str, deadline: Deadline, *, first_byte: int = 0, last_byte: int | None = None
    ) -> Iterator[Exchange]:
        """GET a URL and give the exchange with its body unread.

        A reused connection that turns out to be dead costs one immediate retry on a fresh one.

        Args:
            url: What to fetch; it and every redirect pass the guard.
            deadline: Bounds every wait.
            first_byte: First byte wanted; other than 0, or with `last_byte`, a Range request is made.
            last_byte: Last byte wanted, inclusive.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled, SourceRejected, DeadlineExceeded
        """
        headers = {}
        if first_byte or last_byte is not None:
            headers["range"] = f"bytes={first_byte}-{'' if last_byte is None else last_byte}"
        for _ in range(self._settings.max_redirects + 1):
            exchange = self._send("GET", url, headers, deadline)
            target = exchange.response.headers.get("location")
            if exchange.response.status_code not in (301, 302, 303, 307, 308) or not target:
                break
            exchange.close(complete=False)
            url = urljoin(url, target)
        else:
            raise SourceRejected(f"more than {self._settings.max_redirects} redirects (MAX_REDIRECTS)")
        self._remember(url)
        complete = False
        try:
            yield exchange
            complete = exchange.response.is_closed
        finally:
            exchange.close(complete=complete)

    def warmup(self, url: str) -> float:
        """Open, or touch, the connection and the lines to a URL's origin.

        Returns:
            Seconds it took.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled
        """
        started = time.perf_counter()
        limit = Deadline.after(self._settings.connect_timeout_s + self._settings.stall_timeout_s)
        exchange = self._send("HEAD", url, {}, limit)
        exchange.close(complete=True)
        self.lines.warm(url, exchange.first_byte_s)
        self._remember(url)
        with self._stats_lock:
            self._last_warm = time.monotonic()
        return time.perf_counter() - started

    def refresh_dns(self, url: str) -> None:
        """Look the origin's name up anew, off the critical path."""
        parts = urlsplit(url)
        if parts.hostname:
            with mapped_errors("connect"):
                default = 80 if parts.scheme == "http" else 443
                self._backend.resolve(parts.hostname, parts.port or default, fresh=True)

    def origins(self) -> tuple[str, ...]:
        """Origins used so far, as URLs, the latest last; at most eight."""
        with self._stats_lock:
            return tuple(self._origins)

    def health(self) -> PoolHealth:
        """What the pool holds now."""
        found = []
        for connection in self._transport.connections():
            text = connection.info()
            protocol = "HTTP/2" if "HTTP/2" in text else "HTTP/1.1"
            origin = text.split("'")[1] if "'" in text else ""
            found.append(ConnectionInfo(origin, protocol, connection.is_idle(), text))
        with self._stats_lock:
            warm = None if self._last_warm is None else time.monotonic() - self._last_warm
            return PoolHealth(tuple(found), self._backend.opened, self._requests, self._reused, warm)

    def close(self) -> None:
        """Close every connection."""
        self.lines.close()
        self._client.close()

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}/"
        with self._stats_lock:
            self._origins.pop(origin, None)
            self._origins[origin] = None
            while len(self._origins) > 8:
                del self._origins[next(iter(self._origins))]

    def _send(self, method: str, url: str, headers: dict[str, str], deadline: Deadline) -> Exchange:
        self._guard.check_url(url)
        try:
            return self._send_once(method, url, headers, deadline, self._settings.reuse_probe_s)
        except _DeadConnectionError:
            return self._send_once(method, url, headers, deadline, None)

    def _send_once(
        self, method: str, url: str, headers: dict[str, str], deadline: Deadline, probe_s: float | None
    ) -> Exchange:
        deadline.check("connect")
        set_up = deadline.bound(self._settings.connect_timeout_s)
        stall = deadline.bound(self._settings.stall_timeout_s)
        timeouts = {"connect": set_up, "pool": set_up, "write": stall, "read": min(stall, probe_s or stall)}

        def on_connect() -> None:
            timeouts["read"] = stall  # a fresh connection is no guess: give it the whole time

        started = time.perf_counter()
        with mapped_errors("connect"), _Turn(self._send_lock) as turn:
            trace = _Trace(on_connect, turn.done)
            request = self._client.build_request(method, url, headers=headers)
            request.extensions = {"timeout": timeouts, "trace": trace}
            try:
                response = self._client.send(request, stream=True)
            except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ReadTimeout) as error:
                if probe_s is not None and trace.connect_started is None:
                    raise _DeadConnectionError from error
                raise
        ended = time.perf_counter()
        connect_s = (trace.connect_ended or ended) - trace.connect_started if trace.connect_started else 0.0
        with self._stats_lock:
            self._requests += 1
            self._reused += trace.connect_started is None
        return Exchange(response, trace.connect_started is not None, connect_s, ended - started - connect_s)


class _DeadConnectionError(Exception):
    """A reused connection did not answer; try a fresh one."""


_pools: dict[int, ConnectionPool] = {}
_pools_lock = threading.Lock()


def get_pool() -> ConnectionPool:
    """The pool of this process, made at the first call; a forked child gets its own."""
    with _pools_lock:
        pool = _pools.get(os.getpid())
        if pool is None:
            pool = _pools[os.getpid()] = ConnectionPool(get_settings())
        return pool


def close_pool() -> None:
    """Close and forget the pool of this process."""
    with _pools_lock:
        pool = _pools.pop(os.getpid(), None)
    if pool is not None:
        pool.close()


def warmup(url: str) -> float:
    """Open, or touch, the connection to a URL's origin in the pool of this process; seconds it took."""
    return get_pool().warmup(url)
