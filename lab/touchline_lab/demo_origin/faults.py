"""Faults that the demo origin can be asked for, so that every failure of a real origin can be tested."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Fault:
    """How one response differs from a good one; every byte count is counted in sent body bytes.

    Attributes:
        status: Answer with this status and a short text instead of the file.
        no_range: Ignore `Range` and do not offer it, like a plain static server.
        no_length: Leave `Content-Length` out (HTTP/1.1 then sends chunks).
        cut_after: Abort the TCP connection after this many bytes.
        reset_after: Reset the HTTP/2 stream after this many bytes; HTTP/1.1 has no such thing and is cut.
        stall_after: Fall silent after this many bytes and keep the connection open.
        rate: Send at most this many bytes a second.
        delay: Wait this many seconds before the first byte of the answer.
        redirect: Answer 302 to this URL.
        headers: Further response headers; one that is there already is replaced.
        maximum_connections: Answer 503 on all connections after this many, like an origin that limits their
            number.
    """

    status: int | None = None
    no_range: bool = False
    no_length: bool = False
    cut_after: int | None = None
    reset_after: int | None = None
    stall_after: int | None = None
    rate: float | None = None
    delay: float = 0.0
    redirect: str | None = None
    maximum_connections: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def limit(self) -> int | None:
        """The body bytes after which the response breaks off; None for a whole one."""
        limits = [n for n in (self.cut_after, self.reset_after, self.stall_after) if n is not None]
        return min(limits, default=None)


NO_FAULT = Fault()

_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "status": int,
    "no_range": lambda text: text != "0",
    "no_length": lambda text: text != "0",
    "cut_after": int,
    "reset_after": int,
    "stall_after": int,
    "rate": float,
    "delay": float,
    "redirect": str,
    "maximum_connections": int,
}


def fault_from_query(query: str, base: Fault = NO_FAULT) -> Fault:
    """Read a fault from a query string such as `stall_after=100000&rate=50000`.

    Args:
        query: The query of the URL; names that are no fault are ignored, as origins ignore signatures.
        base: The fault that the path has without a query.

    Raises:
        ValueError: A value does not have the type of its field.
    """
    found = {k: _CONVERTERS[k](v) for k, v in parse_qsl(query) if k in _CONVERTERS}
    return dataclasses.replace(base, **found) if found else base
