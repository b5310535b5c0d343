"""The raw body of a request, bounded in size and time: its signature covers exactly these bytes."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from services.gateway.rejection import Rejection

SMALL_BYTES: Final = 65_536
"""Bodies up to this size are always read: most requests are links."""
DRAIN_S: Final = 0.05
"""Seconds that the rest of a rejected body gets: one that is under way stays out of the next request."""
DRAIN_BYTES: Final = 65_536
"""Bytes of it."""
TOGETHER: Final = 8
"""Bodies of the maximum size that may be in memory before it is known who sent them."""


class RequestBodies:
    """Reads bodies; used by one event loop.

    Args:
        max_bytes: Bytes of one body.
        seconds: Total time within which a body has to arrive.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """Read a body.

        Raises:
            Rejection: 413, 408, 429 where too much is being read already, or 400 where the caller went away.
        """
        stated = request.headers.get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()):
            raise Rejection(400, "body", "Content-Length is not a number")
        if int(stated) > self._max_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                async for part in request.stream():
                    size += len(part)
                    self._held += len(part)
                    if size > self._max_bytes:
                        raise self._too_large()
                    if size > SMALL_BYTES and self._held > TOGETHER * self._max_bytes:
                        raise Rejection(429, "limit", "too many large bodies are arriving at the same time")
                    parts.append(part)
        except TimeoutError as error:
            text = f"the body did not arrive within {self._seconds:g} s (BODY_TIMEOUT_S)"
            raise Rejection(408, "body", text) from error
        except ClientDisconnect as error:
            raise Rejection(400, "body", "the caller went away before its body was complete") from error
        finally:
            self._held -= size
        return b"".join(parts)

    async def drained(self, request: Request) -> bool:
        """Whether the rest of a rejected body has arrived; otherwise its connection has to be closed."""
        if "expect" in request.headers:
            # to ask for the rest would invite it
            return False
        size = 0
        try:
            async with asyncio.timeout(DRAIN_S):
                async for part in request.stream():
                    size += len(part)
                    if size > DRAIN_BYTES:
                        return False
        except (TimeoutError, ClientDisconnect, RuntimeError):
            # a stream that was read to its end cannot be read again
            return False
        return True

    def _too_large(self) -> Rejection:
        return Rejection(413, "body", f"the body is larger than {self._max_bytes / 1e6:g} MB (MAX_BODY_MB)")
