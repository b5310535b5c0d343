"""What of a resource is still to be asked for, and how much of it a line is given at a time."""

from __future__ import annotations

from collections.abc import Iterable

from services.byte_span import Span

PIECE = 13_500
"""With its headers, what a connection that was idle sends in its first round trip (RFC 6928)."""
LARGEST = 540_000
"""The most that all lines' blocks have together, unless each is a piece: larger ones gain nothing, and keep
those that wait for the front waiting for longer."""
ROUND_TRIP_RATE = 2_700_000
"""Bytes a second that they have together at least: on a longer way they have to be larger."""


class Blocks:
    """The rest of a resource, handed out from its beginning in blocks.

    Blocks are small at the beginning, since connections begin slowly (RFC 5681, section 3.1), grow with what
    has been asked for already, and get smaller again towards the end, so that no line has a large one left
    when the others are done.

    Args:
        lines: Lines that take part.
    """

    def __init__(self, lines: int) -> None:
        self._lines = max(1, lines)
        self._largest = max(PIECE, LARGEST // self._lines)
        self._wide = False
        self._end: int | None = None
        self._left: list[Span] = [Span(0, None)]

    @property
    def left(self) -> bool:
        """Whether there is any."""
        return bool(self._left)

    @property
    def next_offset(self) -> int | None:
        """Where the next block begins."""
        return self._left[0].start if self._left else None

    def take(self) -> Span | None:
        """The next block, or None when there is none left."""
        if not self._left:
            return None
        span = self._left[0]
        known = self._known_bytes()
        if self._wide:
            size = self._largest if known is None else known
        elif span.start < PIECE * self._lines:
            size = PIECE
        else:
            size = min(self._largest, 2 * span.start // self._lines)
        if known is not None:
            size = min(size, known // (self._lines if self._wide else 2 * self._lines))
        stop = span.start + max(PIECE, size)
        if span.stop is not None and stop >= span.stop:
            self._left.pop(0)
            return span
        self._left[0] = Span(stop, span.stop)
        return Span(span.start, stop)

    def give_back(self, span: Span) -> None:
        """It did not come: somebody else has to bring it, and first."""
        span = Span(span.start, _smaller(span.stop, self._end))
        if not span.is_empty:
            self._left.insert(0, span)
            self._left.sort(key=lambda left: left.start)

    def know_round_trip(self, seconds: float) -> None:
        """Say how long the way is."""
        self._largest = max(PIECE, int(max(LARGEST, ROUND_TRIP_RATE * seconds)) // self._lines)

    def widen(self) -> None:
        """Few large blocks from now on: each request costs the origin too much time."""
        self._wide = True

    def end_at(self, size: int) -> None:
        """Say how long the resource is."""
        self._end = size
        self.keep([Span(0, size)])

    def keep(self, wanted: Iterable[Span]) -> None:
        """Leave out everything but these spans; rising and apart from each other."""
        kept: list[Span] = []
        wanted = list(wanted)
        for span in self._left:
            for part in wanted:
                both = Span(max(span.start, part.start), _smaller(span.stop, part.stop))
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


def _smaller(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
