"""The extra connections to each origin, opened beforehand, over which a video is fetched in ranges."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import certifi

from services.download.line import Line
from services.download.network import GuardedBackend
from services.errors import TransportError
from services.settings import Settings

USUAL = 24
"""Lines that fill a link soon enough on a way of up to 100 ms."""
WAY_S = 0.004
"""On a longer way there is one for each so many seconds of a round trip: twice as many save a whole one."""
MOST_FAILURES = 3
"""Downloads one after the other that no line brought to its end."""

log = logging.getLogger(__name__)


class _Origin:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lines: list[Line] = []
        self.refused = False
        self.most: int | None = None
        self.failures = 0
        self.round_trip_s = 0.0

    def measure(self) -> None:
        """Take note of the round trip: the shortest of the latest touches."""
        measured = [line.round_trip_s for line in self.lines if line.is_open and line.round_trip_s]
        self.round_trip_s = min(measured, default=0.0)


class Lines:
    """Opens lines, keeps them, and lends them to one download at a time.

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
        self._origins: dict[tuple[str, str], _Origin] = {}

    def warm(self, url: str, round_trip_s: float) -> int:
        """Open or touch the lines to a URL's origin, all at once, where they shorten anything.

        Args:
            url: A URL at the origin.
            round_trip_s: How long the origin took to answer.

        Returns:
            Lines that are open. One that could not be opened is tried again at the next call.
        """
        if round_trip_s * 1000 < self._settings.range_min_rtt_ms:
            return 0
        origin = self._origin(url)
        if origin.refused or not origin.lock.acquire(blocking=False):
            return 0
        try:
            origin.lines += self._wanting(origin, url)
            self._touch_all(origin.lines)
            origin.measure()
            if not origin.round_trip_s:
                # the first request of a connection may wait for more than the way
                self._touch_all(origin.lines[:1])
                origin.measure()
        finally:
            origin.lock.release()
        # a challenge that comes meanwhile has those that are open already
        more = self._wanting(origin, url)
        if more:
            self._touch_all(more)
            with origin.lock:
                origin.lines += more
        return sum(line.is_open for line in origin.lines)

    def _wanting(self, origin: _Origin, url: str) -> list[Line]:
        """The lines that are worth having, as far as the way is known, and are not there; none is open."""
        allowed = self._settings.range_connections
        allowed = allowed if origin.most is None else min(allowed, origin.most)
        count = min(allowed, max(USUAL, int(origin.round_trip_s / WAY_S)))
        wanting = range(count - len(origin.lines))
        return [Line(self._backend, self._context, url, self._settings.user_agent) for _ in wanting]

    def _touch_all(self, lines: list[Line]) -> None:
        """Open or touch lines, all at once."""
        if not lines:
            return
        with ThreadPoolExecutor(len(lines), "touchline-line") as threads:
            problems = [problem for problem in threads.map(self._touch, lines) if problem]
        if problems:
            log.info("%d of %d extra connections are not open: %s", len(problems), len(lines), problems[0])

    @contextmanager
    def borrow(self, url: str) -> Iterator[tuple[list[Line], float]]:
        """The open lines to a URL's origin and its round trip, s, for as long as the context lasts.

        There are none while others have them.
        """
        origin = self._origin(url)
        if origin.refused or not origin.lock.acquire(blocking=False):
            yield [], 0.0
            return
        try:
            yield [line for line in origin.lines if line.is_open], origin.round_trip_s
        finally:
            origin.lock.release()

    def learn(self, url: str, *, worked: bool) -> None:
        """Take note of how a download ended: an origin may not understand requests ahead of answers.

        Args:
            url: What was fetched.
            worked: Whether some of the lines lasted to the end.
        """
        origin = self._origin(url)
        origin.failures = 0 if worked else origin.failures + 1
        if origin.failures >= MOST_FAILURES:
            log.warning(
                "several requests at a time do not work with %s: one connection from now on",
                urlsplit(url).netloc,
            )
            origin.refused = True

    def limit(self, url: str, most: int) -> None:
        """Open no more lines than this from now on: the origin had no room for the others.

        Args:
            url: What was fetched, by the borrower of the lines.
            most: Lines that lasted.
        """
        log.warning("%s has room for %d connections at a time", urlsplit(url).netloc, most)
        origin = self._origin(url)
        origin.most = most
        origin.lines = [line for line in origin.lines if line.is_open][:most]

    def refuse(self, url: str) -> None:
        """Leave this origin's lines alone from now on: it does not answer ranges directly."""
        self._origin(url).refused = True

    def close(self) -> None:
        """Close every line."""
        with self._lock:
            origins = list(self._origins.values())
        for origin in origins:
            with origin.lock:
                for line in origin.lines:
                    line.close()

    def _touch(self, line: Line) -> str | None:
        limit = self._settings.connect_timeout_s + self._settings.stall_timeout_s
        try:
            line.touch(limit)
        except TransportError as error:
            return str(error)
        return None

    def _origin(self, url: str) -> _Origin:
        parts = urlsplit(url)
        with self._lock:
            return self._origins.setdefault((parts.scheme, parts.netloc), _Origin())
