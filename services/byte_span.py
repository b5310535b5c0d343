"""A range of bytes of a resource."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """Bytes from `start` up to, not including, `stop`; a `stop` of None means the end of the resource."""

    start: int
    stop: int | None

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset and (self.stop is None or offset < self.stop)

    @property
    def is_empty(self) -> bool:
        """Whether the span holds no byte."""
        return self.stop is not None and self.stop <= self.start
