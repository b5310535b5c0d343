"""URLs in the form in which they are requested, and the origins of past challenges."""

from __future__ import annotations

import threading
import time
from typing import Final

import httpx

from services.errors import UrlRefused

MAX_REMEMBERED: Final = 8
"""Origins of past challenges that are kept warm."""
REMEMBERED_S: Final = 4 * 3600.0
"""Seconds after its latest challenge for which an origin is kept warm: challenges come about hourly."""


def ascii_url(url: str) -> str:
    """A URL as it goes over the wire: percent-encoded where it has to be, its host in lower case and IDNA.

    What is percent-encoded already stays as it is, so that signed URLs keep their signature.

    Raises:
        UrlRefused: It is not a URL.
    """
    try:
        parsed = httpx.URL(url)
        return str(parsed.copy_with(fragment=None) if "#" in url else parsed)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise UrlRefused(f"{url[:200]!r} is not a URL: {error}") from error


def origin_of(url: str) -> str:
    """The URL of the root of a URL's origin; equal for all spellings of one origin."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}/"


class RecentOrigins:
    """The origins of the latest challenges, the latest last; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}

    def add(self, origin: str) -> list[str]:
        """Remember that an origin was used.

        Returns:
            Those that are no longer remembered.
        """
        with self._lock:
            self._used.pop(origin, None)
            self._used[origin] = time.monotonic()
            return self._drop_old()

    def drop(self, origin: str) -> None:
        """Forget an origin."""
        with self._lock:
            self._used.pop(origin, None)

    def get(self) -> tuple[str, ...]:
        """All that are remembered."""
        with self._lock:
            return tuple(self._used)

    def expire(self) -> list[str]:
        """Forget those that were not used for long; gives them."""
        with self._lock:
            return self._drop_old()

    def _drop_old(self) -> list[str]:
        latest = time.monotonic() - REMEMBERED_S
        over = list(self._used)[: max(0, len(self._used) - MAX_REMEMBERED)]
        dropped = [origin for origin, used in self._used.items() if origin in over or used < latest]
        for origin in dropped:
            del self._used[origin]
        return dropped
