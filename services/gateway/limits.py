"""How many requests wait at the same time, in all and of one validator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.rejection import Rejection


class Limits:
    """Counts waiting requests; used by one event loop.

    Args:
        total: MAX_REQUESTS.
        per_hotkey: MAX_REQUESTS_PER_HOTKEY.
    """

    def __init__(self, total: int, per_hotkey: int) -> None:
        self._total = total
        self._per_hotkey = per_hotkey
        self._waiting: Counter[str | None] = Counter()

    @property
    def waiting(self) -> int:
        """Requests that wait for an answer."""
        return self._waiting.total()

    @contextmanager
    def waits(self, hotkey: str | None) -> Iterator[None]:
        """Count a request while it waits.

        Args:
            hotkey: The validator; None where nobody knows who asks: then only all together have a limit.

        Raises:
            Rejection: 429.
        """
        if self.waiting >= self._total:
            raise Rejection(429, "limit", f"{self.waiting} requests are waiting already (MAX_REQUESTS)")
        if hotkey is not None and self._waiting[hotkey] >= self._per_hotkey:
            text = f"{self._waiting[hotkey]} requests of this hotkey are waiting (MAX_REQUESTS_PER_HOTKEY)"
            raise Rejection(429, "limit", text)
        self._waiting[hotkey] += 1
        try:
            yield
        finally:
            self._waiting[hotkey] -= 1
            if not self._waiting[hotkey]:
                del self._waiting[hotkey]
