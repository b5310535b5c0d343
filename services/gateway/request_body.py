"""The raw body of a request, bounded in size and time: its signature covers exactly these bytes."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from services.gateway.refusal import Refusal


async def read_body(request: Request, max_bytes: int, seconds: float) -> bytes:
    """Read a body.

    Args:
        request: The request.
        max_bytes: Bytes from which on it is refused, whatever its header says.
        seconds: Total time within which it has to arrive.

    Raises:
        Refusal: 413, 408, or 400 where the caller went away.
    """
    stated = request.headers.get("content-length", "0")
    if not stated.isdigit():
        raise Refusal(400, "body", "Content-Length is not a number")
    if int(stated) > max_bytes:
        raise _too_large(max_bytes)
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            size = 0
            async for part in request.stream():
                size += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                parts.append(part)
    except TimeoutError as error:
        text = f"the body did not arrive within {seconds:g} s (BODY_TIMEOUT_S)"
        raise Refusal(408, "body", text) from error
    except ClientDisconnect as error:
        raise Refusal(400, "body", "the caller went away before its body was complete") from error
    return b"".join(parts)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, "body", f"the body is larger than {max_bytes / 1e6:g} MB (MAX_BODY_MB)")
