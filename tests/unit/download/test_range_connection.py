"""A range connection whose origin sends and sends."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest

from services.byte_span import ByteSpan
from services.download.range_connection import RangeConnection

MOST = 200
"""Reads after which an endless origin counts as endless: some 13 MB."""


class EndlessSocket:
    """A socket that takes everything and always has more to give."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._reads = 0

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        self._reads += 1
        assert self._reads < MOST, "it is read from for ever"
        return next(self._parts)


class EndlessStream:
    """A network stream around such a socket."""

    def __init__(self, connected: EndlessSocket) -> None:
        self._socket = connected

    def get_extra_info(self, info: str) -> EndlessSocket:
        return self._socket

    def close(self) -> None:
        pass


HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"
ERROR = b"HTTP/1.1 416 X\r\nContent-Range: bytes */7\r\nContent-Length: 999999999999\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(HINT, HINT * 2000, id="informational responses"),
        pytest.param(ERROR, bytes(1 << 16), id="the body of an error"),
    ],
)
def test_what_brings_nothing_is_not_read_for_ever(head: bytes, part: bytes) -> None:
    connection = RangeConnection(None, ssl.create_default_context(), "https://clips.test/", "test")  # type: ignore[arg-type]
    stream: Any = EndlessStream(EndlessSocket(chain([head], repeat(part))))
    connection._stream = stream  # noqa: SLF001 - opening it needs a real origin
    connection.send("GET", "/a.mp4", ByteSpan(7, 8))
    with pytest.raises(OSError, match="nobody asked for"):
        connection.receive(lambda _at, _data: None)
