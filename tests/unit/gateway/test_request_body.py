from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from services.gateway.rejection import Rejection
from services.gateway.request_body import TOGETHER, RequestBodies


def request_of(parts: Iterator[bytes], length: str | None = None, between_s: float = 0.0) -> Request:
    """A request whose body comes in parts; after the last one nothing comes any more."""

    async def receive() -> dict[str, Any]:
        part = next(parts, None)
        if part is None:
            await asyncio.sleep(60)
        await asyncio.sleep(between_s)
        return {"type": "http.request", "body": part, "more_body": True}

    headers = [] if length is None else [(b"content-length", length.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


@pytest.mark.parametrize(
    ("length", "status"), [("101", 413), ("-1", 400), ("1e2", 400), ("\xb2", 400), ("", 400)]
)
def test_a_length_that_is_too_large_or_not_a_number_is_refused_at_once(length: str, status: int) -> None:
    with pytest.raises(Rejection) as refused:
        asyncio.run(RequestBodies(100, 5.0).read(request_of(iter([]), length)))
    assert refused.value.status == status


def test_a_body_that_is_longer_than_it_says_is_refused() -> None:
    with pytest.raises(Rejection) as refused:
        asyncio.run(RequestBodies(100, 5.0).read(request_of(iter([b"x" * 60, b"x" * 60]), "10")))
    assert refused.value.status == 413


def test_a_body_that_does_not_end_is_given_up() -> None:
    with pytest.raises(Rejection, match="BODY_TIMEOUT_S") as refused:
        asyncio.run(RequestBodies(100, 0.05).read(request_of(iter([b"{"]))))
    assert refused.value.status == 408


def test_bodies_that_arrive_together_are_bounded_together() -> None:
    """Strangers who name a validator cannot fill the memory before their signatures are checked."""

    async def run() -> tuple[list[Any], list[Any]]:
        bodies = RequestBodies(100_000, 1.5)

        def unfinished(size: int = 90_000) -> Request:
            return request_of(iter([b"x" * size]))

        reads = [bodies.read(unfinished()) for _ in range(TOGETHER + 4)]
        reads.append(bodies.read(unfinished(200)))
        first = await asyncio.gather(*reads, return_exceptions=True)
        later = await asyncio.gather(bodies.read(unfinished()), return_exceptions=True)
        return first, later

    first, later = asyncio.run(run())
    statuses = sorted(rejection.status for rejection in first)
    assert statuses == [408] * (TOGETHER + 1) + [429] * 4, "a small one is always read"
    assert [rejection.status for rejection in later] == [408], "what was given up no longer counts"
