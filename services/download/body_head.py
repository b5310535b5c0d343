"""The head of a response to a GET or Range request: which bytes of the resource its body holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httpx

from services.errors import SourceRejected, StreamStalled

_CONTENT_RANGE: Final = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
RETRYABLE_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses with which an origin says that the same request may succeed later (RFC 9110, RFC 6585)."""


@dataclass(frozen=True, slots=True)
class BodyHead:
    """What the head of a successful response says.

    Attributes:
        start: Offset of the body's first byte in the resource; None when the asked range lies behind its end.
        end: Offset behind the body's last byte, where the head tells.
        total: Length of the whole resource in bytes, where the head tells.
        accepts_ranges: False when the origin says that it answers no Range requests.
    """

    start: int | None
    end: int | None
    total: int | None
    accepts_ranges: bool


def read_body_head(response: httpx.Response, asked_from: int) -> BodyHead:
    """Check status and headers of a response.

    Args:
        response: The response; its body is not read.
        asked_from: First byte that was asked for; 0 for a plain GET.

    Raises:
        SourceRejected: The status is neither 200 nor 206, nor a 416 that tells the resource's length.
        StreamStalled: The body is another range than the one asked for.
    """
    status = response.status_code
    accepts_ranges = response.headers.get("accept-ranges", "").lower() != "none"
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if status == 416 and asked_from and found and found[3] != "*":
        return BodyHead(None, None, int(found[3]), accepts_ranges)
    if status not in (200, 206):
        reason = f" {response.reason_phrase}" if response.reason_phrase else ""
        raise SourceRejected(
            f"the origin answered {status}{reason} for the video", retryable=status in RETRYABLE_STATUSES
        )
    length = response.headers.get("content-length", "")
    if status == 200 or not found:
        size = int(length) if length.isdigit() else None
        return BodyHead(0 if status == 200 else asked_from, size, size, accepts_ranges)
    if found[1] is None or int(found[1]) != asked_from:
        raise StreamStalled(f"the origin sent bytes from {found[1]}, asked for {asked_from}")
    end = int(found[2]) + 1
    return BodyHead(asked_from, end, end if found[3] == "*" else int(found[3]), accepts_ranges)
