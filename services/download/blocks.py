"""The blocks of a range fetch: what is still to be asked for, and how much of it at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.byte_span import ByteSpan

PIECE: Final = 13_500
"""Bytes of the smallest block: with its headers, what an idle connection brings in one round trip (RFC
6928)."""
MAX_TOTAL: Final = 540_000
"""Maximum bytes of one block of every connection together, unless each is a piece: larger blocks gain nothing
and delay the front of the resource."""
BYTES_PER_ROUND_TRIP_S: Final = 2_700_000
"""Minimum bytes of the same for each second of the round-trip time: on a longer path blocks have to be
larger."""


class Blocks:
    """The rest of a resource, handed out from its beginning in blocks.

    Blocks are small at the beginning, since connections begin slowly (RFC 5681, section 3.1), grow with what
    has been asked for already, and get smaller towards the end, so that no connection has a large one left
    when the others are done.

    Args:
        connections: Number of range connections.
    """

    def __init__(self, connections: int) -> None:
        self._connections = max(1, connections)
        self._max_block = max(PIECE, MAX_TOTAL // self._connections)
        self._widened = False
        self._end: int | None = None
        self._left: list[ByteSpan] = [ByteSpan(0, None)]

    @property
    def left(self) -> bool:
        """Whether anything is still to be asked for."""
        return bool(self._left)

    @property
    def next_offset(self) -> int | None:
        """Offset of the next block."""
        return self._left[0].start if self._left else None

    def take(self) -> ByteSpan | None:
        """The next block, or None when there is none left."""
        if not self._left:
            return None
        span = self._left[0]
        known = self._known_bytes()
        if self._widened:
            size = self._max_block if known is None else known
        elif span.start < PIECE * self._connections:
            size = PIECE
        else:
            size = min(self._max_block, 2 * span.start // self._connections)
        if known is not None:
            size = min(size, known // (self._connections if self._widened else 2 * self._connections))
        stop = span.start + max(PIECE, size)
        if span.stop is not None and stop >= span.stop:
            self._left.pop(0)
            return span
        self._left[0] = ByteSpan(stop, span.stop)
        return ByteSpan(span.start, stop)

    def put_back(self, span: ByteSpan) -> None:
        """A block did not arrive: it is handed out again, before later ones."""
        span = ByteSpan(span.start, _minimum(span.stop, self._end))
        if not span.is_empty:
            self._left.insert(0, span)
            self._left.sort(key=lambda left: left.start)

    def set_round_trip(self, seconds: float) -> None:
        """Fit the size of blocks to the round-trip time."""
        self._max_block = max(
            PIECE, int(max(MAX_TOTAL, BYTES_PER_ROUND_TRIP_S * seconds)) // self._connections
        )

    def widen(self) -> None:
        """Hand out few large blocks from now on: each request costs the origin too much time."""
        self._widened = True

    def end_at(self, size: int) -> None:
        """Set the length of the resource in bytes."""
        self._end = size
        self.restrict_to([ByteSpan(0, size)])

    def restrict_to(self, spans: Iterable[ByteSpan]) -> None:
        """Hand out these spans only: rising and apart from each other."""
        kept: list[ByteSpan] = []
        spans = list(spans)
        for span in self._left:
            for part in spans:
                both = ByteSpan(max(span.start, part.start), _minimum(span.stop, part.stop))
                if not both.is_empty:
                    kept.append(both)
        self._left = kept

    def _known_bytes(self) -> int | None:
        total = 0
        for span in self._left:
            if span.stop is None:
                return None
            total += span.stop - span.start
        return total


def _minimum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
