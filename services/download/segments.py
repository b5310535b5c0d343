"""The bytes of a resource that have arrived, while its parts arrive in any order."""

from __future__ import annotations

from bisect import bisect_right


class Segments:
    """Bytes by their offset; parts that touch become one."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._parts: list[bytearray] = []

    def add(self, offset: int, data: bytes) -> None:
        """Put bytes in; bytes that have arrived before stay as they are."""
        at = bisect_right(self._starts, offset) - 1
        if at < 0 or self._end(at) < offset:
            at += 1
            self._starts.insert(at, offset)
            self._parts.insert(at, bytearray())
        self._parts[at] += data[self._end(at) - offset :]
        while at + 1 < len(self._starts) and self._starts[at + 1] <= self._end(at):
            later, start = self._parts.pop(at + 1), self._starts.pop(at + 1)
            self._parts[at] += later[self._end(at) - start :]

    def get(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`: those that follow it without a gap."""
        at = bisect_right(self._starts, offset) - 1
        if at < 0:
            return b""
        inside = offset - self._starts[at]
        return bytes(self._parts[at][inside : inside + length])

    def end_at(self, offset: int) -> int:
        """Where the bytes from `offset` on, without a gap, end; `offset` itself when there are none."""
        at = bisect_right(self._starts, offset) - 1
        return offset if at < 0 else max(offset, self._end(at))

    def next_start(self, offset: int) -> int | None:
        """Where the first part that lies behind `offset` begins."""
        at = bisect_right(self._starts, offset)
        return self._starts[at] if at < len(self._starts) else None

    def forget(self, before: int) -> None:
        """Free everything before an offset."""
        while self._starts and self._starts[0] < before:
            if self._end(0) <= before:
                del self._starts[0], self._parts[0]
            else:
                del self._parts[0][: before - self._starts[0]]
                self._starts[0] = before

    def _end(self, at: int) -> int:
        return self._starts[at] + len(self._parts[at])
