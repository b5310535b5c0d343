"""The load of the front-end benchmark, against a server that answers at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter

import pytest

from touchline_lab.benchmarks.http_front_ends.load import Loaded, load


def test_percentiles_and_rate_come_from_the_answers() -> None:
    loaded = Loaded(tuple(number / 100 for number in range(100)), took_s=2.0, failed=Counter())
    assert loaded.rate == 50.0
    assert loaded.percentile(50) == pytest.approx(0.5)
    assert loaded.percentile(95) == pytest.approx(0.95)
    assert loaded.percentile(100) == pytest.approx(0.99)


def test_without_an_answer_there_is_no_percentile() -> None:
    assert Loaded((), took_s=1.0, failed=Counter({503: 5})).percentile(95) == math.inf


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """The head of the next request; empty when the client has closed the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def test_requests_keep_their_rate_and_failures_are_counted_by_status() -> None:
    asked: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await head_of(reader):
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            asked.append(time.monotonic())
            status = "200 OK" if len(asked) % 2 else "503 Busy"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        writer.close()

    async def run() -> Loaded:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await load(server.sockets[0].getsockname()[1], rate=100.0, count=10, prefix="x")

    began = time.monotonic()
    loaded = asyncio.run(run())
    assert len(loaded.seconds) == 5
    assert loaded.failed == {503: 5}
    # ten requests at a hundred a second: the last one is not sent before its time
    assert asked[-1] - began >= 0.09
