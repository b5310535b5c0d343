"""Where the bytes of a video come from, as the decoder sees it."""

from __future__ import annotations

import io
from typing import Protocol

from services.errors import ChallengeError, CorruptVideo


class ByteSource(Protocol):
    """Bytes that may still be arriving; every read waits for what it needs, or raises a `ChallengeError`."""

    @property
    def size(self) -> int | None:
        """Length of the whole, as soon as it is known."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, fewer only where the whole ends."""

    def read_some(self, offset: int, maximum: int) -> bytes:
        """What there is from `offset`, at least one byte unless the whole ends there."""

    def wait_complete(self) -> None:
        """Wait for the last byte."""

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        """Wait for those bytes, at most `timeout` seconds; it makes nobody fetch them sooner."""

    def fetches(self, offset: int, length: int) -> bool:
        """Whether those bytes arrive even if nobody reads them."""

    def release(self, before: int) -> None:
        """Say that nothing before an offset will be read again."""


class MemorySource:
    """A `ByteSource` over bytes that are all there."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int | None:
        """Length of the data."""
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        """A slice."""
        return self._data[offset : offset + length]

    def read_some(self, offset: int, maximum: int) -> bytes:
        """A slice."""
        return self._data[offset : offset + maximum]

    def wait_complete(self) -> None:
        """Nothing to wait for."""

    def wait_for(self, offset: int, length: int, timeout: float) -> None:
        """Nothing to wait for."""

    def fetches(self, offset: int, length: int) -> bool:
        """They are there."""
        return True

    def release(self, before: int) -> None:
        """Nothing to let go of: the caller has the data."""


class SourceFile(io.RawIOBase):
    """A `ByteSource` as a seekable binary file, for demuxers that want one.

    An error of the source is kept in `failure` and raised; demuxers written in C tend to lose it on the way.

    Args:
        source: Where the bytes come from.
        seeks: Whether the demuxer may jump; one that may often looks at the end of the file first.
    """

    def __init__(self, source: ByteSource, *, seeks: bool = True) -> None:
        self._source = source
        self._seeks = seeks
        self._position = 0
        self.failure: ChallengeError | None = None

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """Whether it may be told to."""
        return self._seeks

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, at least one unless at the end."""
        if size == 0:
            return b""
        maximum = (1 << 62) if size < 0 else size
        try:
            data = self._source.read_some(self._position, maximum)
        except ChallengeError as error:
            self.failure = error
            raise
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; from the end only once the size is known."""
        if whence == io.SEEK_SET:
            self._position = offset
        elif whence == io.SEEK_CUR:
            self._position += offset
        else:
            if self._source.size is None:
                self._source.wait_complete()
            size = self._source.size
            if size is None:
                raise CorruptVideo("the length of the video is not known")
            self._position = size + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position
