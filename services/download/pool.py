"""The warmed connection pool: one per process, made after the fork, one client for all origins.

`get_pool()` and `warmup(url)` are the public face.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import certifi
import httpx

from services.deadline import Deadline
from services.download.error_mapping import mapped_errors
from services.download.exchange import Exchange
from services.download.guard import UrlGuard
from services.download.pool_health import ConnectionInfo, PoolHealth
from services.download.range_connection_pool import RangeConnectionPool
from services.download.request_trace import RequestTrace, SendTurn
from services.download.sockets import GuardedBackend
from services.download.transport import GuardedTransport
from services.errors import SettingsError, SourceRejected
from services.settings import Settings, get_settings

MAX_REMEMBERED_ORIGINS: Final = 8
"""Origins of past challenges that are kept warm."""


class ConnectionPool:
    """Warmed connections to all origins of one process.

    Attributes:
        range_connections: The range connections to all origins.

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
        self._transport = GuardedTransport(context, self._backend)
        self._client = httpx.Client(
            transport=self._transport,
            headers={"user-agent": settings.user_agent, "accept": "*/*", "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )
        self.range_connections = RangeConnectionPool(self._backend, settings)
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
        """Open, or touch, the connection and the range connections to a URL's origin.

        Returns:
            Seconds it took.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled
        """
        started = time.perf_counter()
        limit = Deadline.after(self._settings.connect_timeout_s + self._settings.stall_timeout_s)
        exchange = self._send("HEAD", url, {}, limit)
        exchange.close(complete=True)
        self.range_connections.warm(url, exchange.first_byte_s)
        self._remember(url)
        with self._stats_lock:
            self._last_warm = time.monotonic()
        return time.perf_counter() - started

    def refresh_dns(self, url: str) -> None:
        """Resolve the origin's name again, while nobody waits for it."""
        parts = urlsplit(url)
        if parts.hostname:
            with mapped_errors("connect"):
                default = 80 if parts.scheme == "http" else 443
                self._backend.resolve(parts.hostname, parts.port or default, fresh=True)

    def origins(self) -> tuple[str, ...]:
        """Origins of the latest challenges, as URLs, the latest last."""
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
        self.range_connections.close()
        self._client.close()

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}/"
        with self._stats_lock:
            self._origins.pop(origin, None)
            self._origins[origin] = None
            while len(self._origins) > MAX_REMEMBERED_ORIGINS:
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
        with mapped_errors("connect"), SendTurn(self._send_lock) as turn:
            trace = RequestTrace(on_connect, turn.done)
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
