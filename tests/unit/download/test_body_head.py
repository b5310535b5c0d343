"""Which bytes a response's head says its body holds."""

from __future__ import annotations

import httpx
import pytest

from services.byte_span import ByteSpan
from services.download.body_head import read_body_head
from services.errors import SourceRejected, StreamStalled


def part(content_range: str, status: int = 206) -> httpx.Response:
    """The head of a response with a part."""
    return httpx.Response(status, headers={"content-range": f"bytes {content_range}"})


@pytest.mark.parametrize("content_range", ["10-29/20", "10-9/20", "10-20/20", "9-19/20"])
def test_a_part_that_cannot_be_is_not_read(content_range: str) -> None:
    with pytest.raises(StreamStalled, match="sent bytes"):
        read_body_head(part(content_range), ByteSpan(10, None))


def test_a_part_without_a_total_does_not_say_where_the_resource_ends() -> None:
    head = read_body_head(part("10-19/*"), ByteSpan(10, 20))
    assert (head.start, head.end, head.version.size) == (10, 20, None)
    # unless it was asked for up to there
    assert read_body_head(part("10-19/*"), ByteSpan(10, None)).version.size == 20


def test_bytes_are_denied_behind_the_end_only() -> None:
    head = read_body_head(part("*/20", 416), ByteSpan(20, None))
    assert (head.start, head.version.size) == (None, 20)
    for denied in (part("*/21", 416), part("*/*", 416)):
        with pytest.raises(SourceRejected, match="416"):
            read_body_head(denied, ByteSpan(20, None))
