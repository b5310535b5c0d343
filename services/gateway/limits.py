"""How many requests wait at the same time, in all and of one validator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.refusal import Refusal


class Limits:
    """Counts waiting requests; used by one event loop.

    Args:
        in_all: MAX_REQUESTS.
        of_one: MAX_REQUESTS_PER_HOTKEY.
    """

    def __init__(self, in_all: int, of_one: int) -> None:
        self._in_all = in_all
        self._of_one = of_one
        self._waiting: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Requests that wait for an answer."""
        return self._waiting.total()

    @contextmanager
    def waits(self, hotkey: str) -> Iterator[None]:
        """Count a request while it waits.

        Raises:
            Refusal: 429.
        """
        if self.waiting >= self._in_all:
            raise Refusal(429, "limit", f"{self.waiting} requests are waiting already (MAX_REQUESTS)")
        if self._waiting[hotkey] >= self._of_one:
            text = f"{self._waiting[hotkey]} requests of this hotkey are waiting (MAX_REQUESTS_PER_HOTKEY)"
            raise Refusal(429, "limit", text)
        self._waiting[hotkey] += 1
        try:
            yield
        finally:
            self._waiting[hotkey] -= 1
            if not self._waiting[hotkey]:
                del self._waiting[hotkey]
