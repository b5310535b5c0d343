"""The warmed connection pool: one per process, made after the fork, one client for all origins.

`get_pool()` gives it.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from urllib.parse import urljoin, urlsplit

import certifi
import httpx

from services.byte_span import ByteSpan
from services.deadline import Deadline
from services.download.body_head import range_header
from services.download.error_mapping import mapped_errors
from services.download.exchange import Exchange, Redirect
from services.download.guard import UrlGuard
from services.download.origins import RecentOrigins, origin_of
from services.download.patience import Patience, Timeouts
from services.download.pool_health import ConnectionInfo, PoolHealth
from services.download.proxy import Proxy
from services.download.range_connection_pool import RangeConnectionPool
from services.download.sockets import GuardedBackend
from services.download.transport import GuardedTransport
from services.errors import ConnectFailed, DeadlineExceeded, SettingsError, SourceRejected, StreamStalled
from services.settings import Settings, get_settings

MISDIRECTED: Final = 421
"""Status of an origin that does not answer for this host on this connection."""
WHOLE: Final = ByteSpan(0, None)
"""All bytes of a resource."""


class ConnectionPool:
    """Warmed connections to all origins of one process.

    Attributes:
        range_connections: The range connections to all origins.

    Safe to use from several threads; none waits for another's network, and every wait ends with its deadline.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = UrlGuard.from_settings(settings)
        self._backend = GuardedBackend(self._guard, Proxy.from_settings(settings))
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
        self._stats_lock = threading.Lock()
        self._requests = 0
        self._reused = 0
        self._last_warm: float | None = None
        self._recent = RecentOrigins()

    # -- requests -----------------------------------------------------------------------------------

    @contextmanager
    def open(
        self, url: str, deadline: Deadline, *, wanted: ByteSpan = WHOLE, validator: str = ""
    ) -> Iterator[Exchange]:
        """GET a URL and give the exchange with its body unread.

        A reused connection that turns out to be dead costs one immediate retry on a fresh one.

        Args:
            url: What to fetch; it and every redirect pass the guard.
            deadline: Bounds every wait.
            wanted: The bytes that are asked for, with a Range request unless it is the whole.
            validator: Value for `If-Range`: a resource that has changed is then given as a whole.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled, SourceRejected, DeadlineExceeded
        """
        headers = {}
        if wanted != WHOLE:
            headers["range"] = range_header(wanted)
            if validator:
                headers["if-range"] = validator
        redirects: list[Redirect] = []
        misdirected = False
        for _ in range(self._settings.max_redirects + 1):
            exchange = self._send("GET", url, headers, deadline)
            if exchange.response.status_code == MISDIRECTED and not misdirected:
                # this connection cannot give it; a fresh one may (RFC 9110, 15.5.20)
                misdirected = True
                exchange.close()
                self._close_idle(origin_of(url))
                continue
            target = exchange.response.headers.get("location")
            if exchange.response.status_code not in (301, 302, 303, 307, 308) or not target:
                break
            exchange.close()
            redirects.append(Redirect(url, exchange.response.status_code))
            url = urljoin(url, target)
        else:
            raise SourceRejected(f"more than {self._settings.max_redirects} redirects (MAX_REDIRECTS)")
        self._remember(url)
        exchange.redirects = tuple(redirects)
        try:
            yield exchange
        finally:
            exchange.close()

    def warmup(self, url: str) -> float:
        """Open, or touch, the connection and the range connections to a URL's origin.

        Returns:
            Seconds it took.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled
        """
        started = time.perf_counter()
        self.range_connections.warm(url, self.touch(url))
        with self._stats_lock:
            self._last_warm = time.monotonic()
        return time.perf_counter() - started

    def touch(self, url: str) -> float:
        """Open, or touch, the connection to a URL's origin with a HEAD request.

        Returns:
            Seconds from the request to the head of its response.

        Raises:
            UrlRefused, ConnectFailed, StreamStalled
        """
        limit = Deadline.after(self._settings.connect_timeout_s + self._settings.stall_timeout_s)
        try:
            exchange = self._send("HEAD", url, {}, limit)
        except DeadlineExceeded as error:  # no challenge's deadline: an open connection used all the time up
            raise StreamStalled("the origin did not answer in time", stage="connect") from error
        next(exchange.chunks(), None)  # an HTTP/1.1 connection stays open only after the end of its response
        exchange.close()
        return exchange.first_byte_s

    def refresh_dns(self, url: str) -> None:
        """Resolve the origin's name again, while nobody waits for it."""
        parts = urlsplit(self._guard.check_url(url))
        if parts.hostname:
            with mapped_errors("connect"):
                default = 80 if parts.scheme == "http" else 443
                self._backend.refresh(parts.hostname, parts.port or default, self._settings.connect_timeout_s)

    def check_url(self, url: str) -> str:
        """The URL as it is requested.

        Raises:
            UrlRefused: The guard does not allow it.
        """
        return self._guard.check_url(url)

    def origins(self) -> tuple[str, ...]:
        """Origins of the latest challenges, as URLs, the latest last."""
        for origin in self._recent.expire():
            self.forget(origin)
        return self._recent.get()

    def forget(self, origin: str) -> None:
        """Close the connections to an origin that nobody uses at the moment; it is not kept warm any more."""
        self._recent.drop(origin)
        self.range_connections.forget(origin)
        self._close_idle(origin)

    def health(self) -> PoolHealth:
        """What the pool holds now."""
        found = [
            ConnectionInfo(connection.origin, connection.protocol, connection.is_idle(), connection.info())
            for connection in self._transport.connections()
        ]
        with self._stats_lock:
            warm = None if self._last_warm is None else time.monotonic() - self._last_warm
            return PoolHealth(
                tuple(found),
                self._backend.opened,
                self._requests,
                self._reused,
                warm,
                self.range_connections.health(),
            )

    def close(self) -> None:
        """Close every connection."""
        self.range_connections.close()
        self._client.close()

    def _close_idle(self, origin: str) -> None:
        for connection in self._transport.connections():
            if origin_of(connection.origin) == origin and connection.is_idle():
                connection.close()

    def _remember(self, url: str) -> None:
        for origin in self._recent.add(origin_of(url)):
            self.forget(origin)

    def _send(self, method: str, url: str, headers: dict[str, str], deadline: Deadline) -> Exchange:
        url = self._guard.check_url(url)
        try:
            return self._send_once(method, url, headers, deadline, self._settings.reuse_probe_s)
        except _DeadConnectionError:
            return self._send_once(method, url, headers, deadline, None)
        except ConnectFailed as error:
            if self._settings.https_proxy and not self._settings.use_proxy:
                raise ConnectFailed(f"{error}; the proxy HTTPS_PROXY is not used (USE_PROXY=0)") from error
            raise

    def _send_once(
        self, method: str, url: str, headers: dict[str, str], deadline: Deadline, probe_s: float | None
    ) -> Exchange:
        deadline.check("connect")
        settings = self._settings
        silence = Patience(settings.stall_timeout_s, deadline)
        probe = None if probe_s is None else Patience(min(probe_s, silence), deadline)
        timeouts = Timeouts(Patience(settings.connect_timeout_s, deadline), silence, probe)
        started = time.perf_counter()
        with mapped_errors("connect"):
            request = self._client.build_request(method, url, headers=headers)
            request.extensions = {"timeout": timeouts, "trace": partial(_note_sent, timeouts)}
            try:
                response = self._client.send(request, stream=True)
            except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ReadTimeout) as error:
                if probe_s is not None and timeouts.connect_s is None:
                    raise _DeadConnectionError from error
                raise
        with self._stats_lock:
            self._requests += 1
            self._reused += timeouts.connect_s is None
        return Exchange(response, timeouts, time.perf_counter() - started)


def _note_sent(timeouts: Timeouts, event: str, _: object) -> None:
    """The trace hook of httpcore: HTTP/1.1 says by it that a request was sent; our HTTP/2 does so itself."""
    if event == "http11.send_request_body.complete":
        timeouts.sent_at = time.perf_counter()


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
