"""A stretch of bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `stop`; None: to the end of the resource."""

    start: int
    stop: int | None

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset and (self.stop is None or offset < self.stop)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return self.stop is not None and self.stop <= self.start
