"""Requests at a rate, over connections that stay open; little more than sockets, so that it costs little."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

ASK_AGAIN_S: Final = 0.005
"""Seconds between two looks for an answer that is made in the background."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a load.

    Attributes:
        seconds: From each request's time in the plan to the last byte of its answer.
        took_s: From the first request to the last answer.
        failed: Requests that were not answered with 200, by status.
    """

    seconds: tuple[float, ...]
    took_s: float
    failed: Counter[int]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took_s

    def percentile(self, percent: float) -> float:
        """Seconds within which this share of the answers came; infinite where there are none."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else math.inf


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    async def exchange(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and read the whole answer; its status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 21)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().splitlines()
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length")), 0)
        await reader.readexactly(length)
        return int(lines[0].split()[1])


async def load(port: int, rate: float, count: int, prefix: str) -> Loaded:
    """Send `count` requests, `rate` a second, however long the earlier ones take.

    Args:
        port: Of the front end on the loopback.
        rate: Requests a second.
        count: Requests.
        prefix: Of the challenge ids.
    """
    idle: list[_Connection] = []
    seconds: list[float] = []
    failed: Counter[int] = Counter()
    started = time.perf_counter()

    async def one(number: int) -> None:
        planned = started + number / rate
        await asyncio.sleep(max(0.0, planned - time.perf_counter()))
        connection = idle.pop() if idle else _Connection(port)
        name = f"{prefix}-{number}"
        body = json.dumps(
            {"challenge_id": name, "type": "gsr", "video_url": f"https://127.0.0.1/{name}.mp4"}
        ).encode()
        status = await connection.exchange("POST", "/soccer/challenge", body)
        while status in (202, 404):
            status = await connection.exchange("GET", f"/result/{name}")
            if status == 404:
                await asyncio.sleep(ASK_AGAIN_S)
        if status == 200:
            seconds.append(time.perf_counter() - planned)
        else:
            failed[status] += 1
        idle.append(connection)

    await asyncio.gather(*(one(number) for number in range(count)))
    took_s = time.perf_counter() - started
    await asyncio.gather(*(connection.close() for connection in idle))
    return Loaded(tuple(seconds), took_s, failed)
