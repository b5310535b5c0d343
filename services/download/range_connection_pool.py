"""The range connections to each origin: opened early, kept open, and lent to one download at a time."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import certifi

from services.download.origins import origin_of
from services.download.pool_health import RangeConnectionsInfo
from services.download.range_connection import RangeConnection
from services.download.sockets import GuardedBackend
from services.errors import TransportError
from services.settings import Settings

DEFAULT_COUNT: Final = 24
"""Connections that fill a link soon enough where the round-trip time is up to 100 ms."""
ROUND_TRIP_PER_CONNECTION_S: Final = 0.004
"""Where it is longer, one connection for each so many seconds: twice as many save a whole round trip."""
MAX_FAILURES: Final = 3
"""Consecutive downloads that no range connection brought to its end, after which one connection is used."""
CLOSE_S: Final = 1.0
"""Seconds that closing waits for a download to give its connections back."""

log = logging.getLogger(__name__)


class _OriginConnections:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections: list[RangeConnection] = []
        self.refused = False
        self.maximum: int | None = None
        self.failures = 0
        self.round_trip_s = 0.0
        self.forgotten = False

    def measure(self) -> None:
        """Keep the round-trip time: the shortest of the latest touches."""
        measured = [
            connection.round_trip_s
            for connection in self.connections
            if connection.is_open and connection.round_trip_s
        ]
        self.round_trip_s = min(measured, default=0.0)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.connections = []


class RangeConnectionPool:
    """Opens range connections, keeps them, and lends them to one download at a time.

    Args:
        backend: How sockets are opened.
        settings: RANGE_CONNECTIONS, RANGE_MIN_RTT_MS, CA_FILE and time-outs.
    """

    def __init__(self, backend: GuardedBackend, settings: Settings) -> None:
        self._backend = backend
        self._settings = settings
        self._context = ssl.create_default_context(cafile=settings.ca_file or certifi.where())
        self._context.set_alpn_protocols(["http/1.1"])
        self._lock = threading.Lock()
        self._origins: dict[str, _OriginConnections] = {}

    def warm(self, url: str, round_trip_s: float) -> int:
        """Open or touch the connections to a URL's origin, all at once, if they shorten a download.

        Args:
            url: A URL at the origin.
            round_trip_s: Seconds that the origin took to answer.

        Returns:
            The number of open connections. One that could not be opened is tried again at the next call.
        """
        if round_trip_s * 1000 < self._settings.range_min_rtt_ms:
            return 0
        origin = self._origin(url)
        if origin.refused or not origin.lock.acquire(blocking=False):
            return 0
        try:
            origin.connections += self._additional(origin, url)
            self._touch_all(origin.connections)
            origin.measure()
            if not origin.round_trip_s:
                # the first request of a connection may wait for more than the round trip
                self._touch_all(origin.connections[:1])
                origin.measure()
        finally:
            origin.lock.release()
        # a challenge that arrives meanwhile uses those that are open already
        more = self._additional(origin, url)
        if more:
            self._touch_all(more)
            with origin.lock:
                origin.connections += more
                if origin.forgotten:
                    origin.close()
        return sum(connection.is_open for connection in origin.connections)

    def _additional(self, origin: _OriginConnections, url: str) -> list[RangeConnection]:
        """Connections that are worth having, as far as the round-trip time is known, and do not exist yet."""
        allowed = self._settings.range_connections
        allowed = allowed if origin.maximum is None else min(allowed, origin.maximum)
        count = min(allowed, max(DEFAULT_COUNT, int(origin.round_trip_s / ROUND_TRIP_PER_CONNECTION_S)))
        return [self.make_connection(url) for _ in range(count - len(origin.connections))]

    def make_connection(self, url: str) -> RangeConnection:
        """A further connection to a URL's origin, not open yet; its caller owns it."""
        return RangeConnection(self._backend, self._context, origin_of(url), self._settings.user_agent)

    def _touch_all(self, connections: list[RangeConnection]) -> None:
        """Open or touch connections, all at once."""
        if not connections:
            return
        with ThreadPoolExecutor(len(connections), "touchline-range-connection") as threads:
            problems = [problem for problem in threads.map(self._touch, connections) if problem]
        if problems:
            log.info(
                "%d of %d range connections are not open: %s", len(problems), len(connections), problems[0]
            )

    @contextmanager
    def lend(self, url: str) -> Iterator[tuple[list[RangeConnection], float]]:
        """Lend the open connections to a URL's origin, with its round-trip time in seconds, to one caller.

        While somebody else has them the list is empty.
        """
        origin = self._origin(url)
        if origin.refused or not origin.lock.acquire(blocking=False):
            yield [], 0.0
            return
        try:
            yield [connection for connection in origin.connections if connection.is_open], origin.round_trip_s
        finally:
            origin.lock.release()

    def record_outcome(self, url: str, *, worked: bool) -> None:
        """Record how a download ended: an origin may not understand pipelined requests.

        Args:
            url: What was downloaded.
            worked: Whether some of the connections lasted to the end.
        """
        origin = self._origin(url)
        origin.failures = 0 if worked else origin.failures + 1
        if origin.failures >= MAX_FAILURES:
            log.warning(
                "%s does not answer pipelined requests: one connection from now on",
                urlsplit(url).netloc,
            )
            origin.refused = True

    def limit(self, url: str, maximum: int) -> None:
        """Open no more connections than this from now on: the origin refused the others.

        Args:
            url: What was downloaded, by the caller that has the connections.
            maximum: Connections that lasted.
        """
        log.warning("%s accepts %d connections at a time", urlsplit(url).netloc, maximum)
        origin = self._origin(url)
        origin.maximum = maximum
        origin.connections = [connection for connection in origin.connections if connection.is_open][:maximum]

    def refuse(self, url: str) -> None:
        """Use no range connections to this origin from now on: it does not answer Range requests itself."""
        self._origin(url).refused = True

    def forget(self, origin: str) -> None:
        """Close the connections to an origin, unless somebody has them, and forget what is known of it.

        Args:
            origin: As `origin_of` gives it.
        """
        with self._lock:
            found = self._origins.get(origin)
            if found is None or not found.lock.acquire(blocking=False):
                return
            del self._origins[origin]
        found.forgotten = True
        found.close()
        found.lock.release()

    def health(self) -> tuple[RangeConnectionsInfo, ...]:
        """What there is at the moment, by origin."""
        with self._lock:
            origins = dict(self._origins)
        return tuple(
            RangeConnectionsInfo(
                name,
                # a lent connection with an unanswered request is open, too
                sum(each.is_open or each.unanswered > 0 for each in tuple(origin.connections)),
                origin.round_trip_s,
                origin.refused,
            )
            for name, origin in origins.items()
        )

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            origins = list(self._origins.values())
        for origin in origins:
            # a download that ends right now gives its connections back; one that hangs loses them
            given_back = origin.lock.acquire(timeout=CLOSE_S)
            origin.close()
            if given_back:
                origin.lock.release()

    def _touch(self, connection: RangeConnection) -> str | None:
        limit = self._settings.connect_timeout_s + self._settings.stall_timeout_s
        try:
            connection.touch(limit)
        except TransportError as error:
            return str(error)
        return None

    def _origin(self, url: str) -> _OriginConnections:
        with self._lock:
            return self._origins.setdefault(origin_of(url), _OriginConnections())
