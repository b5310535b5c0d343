"""Whether an origin answers pipelined requests, and when it closes an idle connection, tried on one."""

from __future__ import annotations

import select
import ssl
import time
from typing import Final

import h11

from services.byte_span import ByteSpan
from services.download.range_connection import RangeConnection

TRIED_REQUESTS: Final = 3
"""Requests that are sent ahead of their answers."""
TRIED_BYTES: Final = 1024
"""Bytes that each of them asks for."""


def answers_pipelined(connection: RangeConnection, target: str, size: int, timeout_s: float) -> bool:
    """Whether requests that are sent before earlier answers have arrived are all answered.

    Args:
        connection: One that is open.
        target: Path and query of the resource.
        size: Its length in bytes.
        timeout_s: Seconds after which an origin that does not go on counts as one that does not understand.
    """
    step = max(1, min(TRIED_BYTES, size // TRIED_REQUESTS))
    end = time.monotonic() + timeout_s
    answered = 0
    try:
        for number in range(TRIED_REQUESTS):
            connection.send("GET", target, ByteSpan(number * step, (number + 1) * step))
        while answered < TRIED_REQUESTS:
            answered += connection.receive(lambda _at, _data: None)
            left = end - time.monotonic()
            if answered < TRIED_REQUESTS and not _readable(connection, left):
                return False
    except (OSError, h11.ProtocolError):
        return False
    return True


def idle_timeout_s(connection: RangeConnection, limit_s: float) -> float | None:
    """Seconds after which the origin closes an idle HTTP/1.1 connection; None: not within the limit.

    Args:
        connection: One that is open and was used just now.
        limit_s: Seconds to wait.
    """
    begun = time.monotonic()
    while (left := begun + limit_s - time.monotonic()) > 0:
        if not _readable(connection, left):
            return None
        try:
            closed = not connection.socket.recv(1)
        except ssl.SSLWantReadError:
            continue  # a TLS record that carries no data, such as a session ticket
        except OSError:
            closed = True
        if closed:
            return time.monotonic() - begun
    return None


def _readable(connection: RangeConnection, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
