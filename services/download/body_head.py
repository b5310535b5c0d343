"""The head of a response to a GET or Range request: which bytes of the resource its body holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httpx

from services.byte_span import ByteSpan
from services.download.backoff import is_passing, retry_after_s
from services.download.resource_version import ResourceVersion
from services.errors import SourceRejected, StreamStalled

_CONTENT_RANGE: Final = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)
COMPRESSIONS: Final = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})
"""Content codings under which a body is not the video's own bytes (RFC 9110, section 8.4.1)."""


@dataclass(frozen=True, slots=True)
class BodyHead:
    """What the head of a successful response says.

    Attributes:
        start: Offset of the body's first byte in the resource; None when the asked range lies behind its end.
        end: Offset behind the body's last byte, where the head tells.
        version: Which version of the resource it is, with its whole length where the head tells.
        accepts_ranges: False when the origin says that it answers no Range requests.
    """

    start: int | None
    end: int | None
    version: ResourceVersion
    accepts_ranges: bool


def read_body_head(response: httpx.Response, asked: ByteSpan) -> BodyHead:
    """Check status and headers of a response.

    Args:
        response: The response; its body is not read.
        asked: The bytes that were asked for; from 0 to the end for a plain GET.

    Raises:
        SourceRejected: The status is neither 200 nor 206, nor a 416 that tells the resource's length; or the
            body is compressed.
        StreamStalled: The body is another range than the one asked for.
    """
    status, headers = response.status_code, response.headers
    headers.encoding = "iso-8859-1"  # as range connections read them: entity tags are compared
    accepts_ranges = headers.get("accept-ranges", "").lower() != "none"
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if status == 416 and found and found[3] != "*" and 0 < asked.start >= int(found[3]):
        version = ResourceVersion.from_headers(int(found[3]), headers)
        return BodyHead(None, None, version, accepts_ranges)
    check_status(response, "the video")
    coding = compression(headers.get("content-encoding", ""))
    if coding:
        raise SourceRejected(f"the origin sends the video compressed ({coding}) though it was asked not to")
    text = headers.get("content-length", "")
    length = int(text) if _NUMBER.fullmatch(text) else None
    if status == 206 and not found and (asked.start or "multipart" in headers.get("content-type", "")):
        raise StreamStalled(f"the origin sent a part without saying which; asked for {range_header(asked)}")
    if status == 200 or not found:
        start = 0 if status == 200 else asked.start
        end = None if length is None else start + length
        return BodyHead(start, end, ResourceVersion.from_headers(end, headers), accepts_ranges)
    total = None if found[3] == "*" else int(found[3])
    end = int(found[2] or 0) + 1
    limit = min(stop for stop in (asked.stop, total, end) if stop is not None)
    fits = found[1] is not None and int(found[1]) == asked.start < end <= limit
    if not fits or length not in (None, end - asked.start):
        raise StreamStalled(
            f"the origin sent bytes {headers['content-range'].removeprefix('bytes ')}, asked for "
            f"{asked.start}-{'' if asked.stop is None else asked.stop - 1}"
        )
    size = end if total is None and asked.stop is None else total
    version = ResourceVersion.from_headers(size, headers)
    return BodyHead(asked.start, end, version, accepts_ranges)


def range_header(wanted: ByteSpan) -> str:
    """Value of the `Range` header that asks for these bytes."""
    return f"bytes={wanted.start}-{'' if wanted.stop is None else wanted.stop - 1}"


def check_status(response: httpx.Response, what: str) -> None:
    """Let only successful responses pass.

    Raises:
        SourceRejected: It is another one; it says whether and when the same request may succeed.
    """
    status = response.status_code
    if status in (200, 206):
        return
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    raise SourceRejected(
        f"the origin answered {status}{reason} for {what}",
        retryable=is_passing(status),
        retry_after_s=retry_after_s(response.headers.get("retry-after")),
    )


def compression(content_encoding: str) -> str:
    """The compression that a `Content-Encoding` names; empty for labels that leave the bytes as they are."""
    codings = (coding.strip().lower() for coding in content_encoding.split(","))
    return ", ".join(coding for coding in codings if coding in COMPRESSIONS)
