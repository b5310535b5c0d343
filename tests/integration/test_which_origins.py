"""docs/reference/origins.md, row by row."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from services.download.pool import ConnectionPool
from services.errors import ChallengeError
from tests.support.downloads import fetch, loopback_settings
from tests.support.scripted_origins import (
    Http1Origin,
    Http2Origin,
    Http2Script,
    Request,
    TlsOrigin,
    file_response,
    text_response,
)

pytestmark = pytest.mark.integration

BODY = bytes((i * 7 + i // 251) % 256 for i in range(1_500_000))
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "origins.md"
TABLE = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.read_text().partition("|---|---|")[2], re.M))

Found = tuple[TlsOrigin, str]
"""An origin that runs, and the URL to fetch."""
Answer = Callable[[Http1Origin, ssl.SSLSocket, Request], bytes | None]
"""What an HTTP/1.1 origin sends to a request; None closes the connection."""


def over_http2(**script: object) -> Callable[[], AbstractContextManager[Found]]:
    @contextmanager
    def start() -> Iterator[Found]:
        with Http2Origin(BODY, Http2Script(**script)) as origin:  # type: ignore[arg-type]
            yield origin, origin.url()

    return start


def over_http1(
    answer: Answer, url: Callable[[Http1Origin], str] = lambda origin: origin.url()
) -> Callable[[], AbstractContextManager[Found]]:
    @contextmanager
    def start() -> Iterator[Found]:
        def handler(connection: ssl.SSLSocket, request: Request) -> bool:
            response = answer(origin, connection, request)
            connection.sendall(response or b"")
            return response is not None and b"connection: close" not in response[:300].lower()

        with Http1Origin(handler) as origin:
            yield origin, url(origin)

    return start


def good(*headers: str) -> Answer:
    return lambda origin, connection, request: file_response(BODY, request, *headers)


def status(code: int, *headers: str, times: int = 1_000) -> Answer:
    """Refusals, then the file."""

    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
        if len(origin.requests) <= times:
            return text_response(code, *headers)
        return file_response(BODY, request)

    return answer


def first_then(first: bytes, then: Answer) -> Answer:
    """These bytes and the end of the connection once, then another answer."""

    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes | None:
        if len(origin.requests) > 1:
            return then(origin, connection, request)
        connection.sendall(first)
        return None

    return answer


def drip(begin: bytes, part: bytes, pause_s: float = 0.05) -> Answer:
    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> None:
        connection.sendall(begin)
        origin.drip(connection, part, pause_s)

    return answer


def whole(*headers: str, length: bool = True) -> bytes:
    """A 200 with the whole body, whatever range was asked for."""
    lines = ["HTTP/1.1 200 OK", *headers, *([f"Content-Length: {len(BODY)}"] if length else []), "", ""]
    return "\r\n".join(lines).encode() + BODY


def without_ranges(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    return whole("Accept-Ranges: none")


def without_length(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    if request.span(len(BODY)):
        return file_response(BODY, request)
    return whole("Connection: close", length=False)


def without_both(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    return whole("Connection: close", "Accept-Ranges: none", length=False)


def false_ranges(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    head = f"HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/{len(BODY)}\r\nContent-Length: 10\r\n\r\n"
    return head.encode() + BODY[:10]


def redirect(target: str) -> Answer:
    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
        if request.target == "/final.mp4":
            return file_response(BODY, request)
        return text_response(302, f"Location: {target}")

    return answer


@contextmanager
def unknown_authority() -> Iterator[Found]:
    with Http1Origin(lambda connection, request: False, own_authority=True) as origin:
        yield origin, origin.url()


@contextmanager
def without_tls() -> Iterator[Found]:
    with Http1Origin(lambda connection, request: False, tls=False) as origin:
        yield origin, origin.url()


@contextmanager
def refuses() -> Iterator[Found]:
    with Http1Origin(lambda connection, request: False) as origin, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # a port where nobody listens
        yield origin, f"https://127.0.0.1:{bound.getsockname()[1]}/"


def per_request(*answers: Answer) -> Answer:
    """One answer after the other; the last one stays."""

    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes | None:
        return answers[min(len(origin.requests), len(answers)) - 1](origin, connection, request)

    return answer


def cut(*headers: str) -> Answer:
    """The file, of which the connection breaks off after 500 KB."""

    def answer(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> None:
        connection.sendall(file_response(BODY, request, *headers)[:500_000])

    return answer


def coded(coding: str, body: bytes) -> Answer:
    """These bytes under the name of a content coding."""
    return lambda origin, connection, request: file_response(body, request, f"Content-Encoding: {coding}")


def in_several_parts(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    """A range as multipart/byteranges, as if several had been asked for."""
    first, last = request.span(len(BODY)) or (0, len(BODY))
    part = f"--X\r\nContent-Range: bytes {first}-{last - 1}/{len(BODY)}\r\n\r\n".encode() + BODY[first:last]
    body = part + b"\r\n--X--\r\n"
    head = "HTTP/1.1 206 X\r\nContent-Type: multipart/byteranges; boundary=X\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def unknown_total(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    return file_response(BODY, request).replace(f"/{len(BODY)}\r\n".encode(), b"/*\r\n", 1)


def part_unasked(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    """206 for the whole, though no range was asked for."""
    head = f"HTTP/1.1 206 X\r\nContent-Range: bytes 0-{len(BODY) - 1}/{len(BODY)}\r\n"
    return f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


def chunked(origin: Http1Origin, connection: ssl.SSLSocket, request: Request) -> bytes:
    """Chunks and a trailer, without a length."""
    parts = [BODY[at : at + 70_000] for at in range(0, len(BODY), 70_000)]
    body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\nX-Sum: 1\r\n\r\n"


def in_seconds(seconds: float) -> str:
    """A date from now, as HTTP writes it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


CUT = file_response(BODY, Request("GET", "/", {}, 1))[:500_000]
CUT_OLD = file_response(BODY, Request("GET", "/", {}, 1), 'ETag: "old"')[:500_000]
CUT_MONDAY = file_response(BODY, Request("GET", "/", {}, 1), "Last-Modified: Mon")[:500_000]
OK = b"HTTP/1.1 200 OK\r\n"

ORIGINS: dict[str, Callable[[], AbstractContextManager[Found]]] = {
    "HTTP/2, 128 streams at a time": over_http2(max_streams=128),
    "HTTP/2, one stream at a time": over_http2(max_streams=1),
    "HTTP/2, states no number of streams": over_http2(max_streams=None),
    "HTTP/2, allows fewer streams in mid-body": over_http2(lower_after=200_000, lower_to=0),
    "HTTP/2, GOAWAY in mid-body": over_http2(go_away_after=500_000),
    "HTTP/2, GOAWAY and the end of the connection, three times": over_http2(
        go_away_after=100_000, close_after=400_000
    ),
    "HTTP/2, GOAWAY before the first request, twice": over_http2(turned_away=2),
    "HTTP/2, resets every stream after 600 KB": over_http2(reset_after=600_000),
    "HTTP/2, closes the connection after every 700 KB": over_http2(close_after=700_000),
    "HTTP/2, only PING frames instead of an answer": over_http2(silent=True),
    "HTTP/1.1": over_http1(good()),
    "HTTP/1.1, closes the connection after each response": over_http1(good("Connection: close")),
    "no ranges": over_http1(without_ranges),
    "no length": over_http1(without_length),
    "no length and no ranges": over_http1(without_both),
    "breaks off after 500 KB, then goes on": over_http1(first_then(CUT, good())),
    "breaks off after 500 KB and has no ranges": over_http1(first_then(CUT, without_ranges)),
    "says that the body is longer than it is": over_http1(
        lambda origin, connection, request: whole(length=False).replace(
            b"200 OK\r\n", b"200 OK\r\nConnection: close\r\nContent-Length: 1600000\r\n", 1
        )
    ),
    "answers with other bytes than were asked for": over_http1(first_then(CUT, false_ranges)),
    "one byte of the head at a time": over_http1(drip(OK + b"X-A: ", b"a")),
    "one byte of the body at a time": over_http1(drip(OK + b"Content-Length: 1500000\r\n\r\n", b"a")),
    "informational responses without end": over_http1(drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "a body without end": over_http1(drip(OK + b"Connection: close\r\n\r\n", bytes(1 << 16), pause_s=0)),
    "a file larger than `MAX_VIDEO_MB`": over_http1(drip(OK + b"Content-Length: 99000000000\r\n\r\n", b"a")),
    "503 once": over_http1(status(503, times=1)),
    "429 once, with Retry-After in seconds": over_http1(status(429, "Retry-After: 0", times=1)),
    "503 with Retry-After behind the deadline": over_http1(status(503, "Retry-After: 3600")),
    "503 once, with Retry-After as a date": over_http1(
        status(503, f"Retry-After: {in_seconds(-5)}", times=1)
    ),
    "503 with Retry-After as a date behind the deadline": over_http1(
        status(503, f"Retry-After: {in_seconds(3600)}")
    ),
    "408 once": over_http1(status(408, times=1)),
    "421 once": over_http1(status(421, times=1)),
    "425 once": over_http1(status(425, times=1)),
    "500 once": over_http1(status(500, times=1)),
    "522 once": over_http1(status(522, times=1)),
    "502 when the body goes on": over_http1(per_request(cut(), status(502), good())),
    "404": over_http1(status(404)),
    "403": over_http1(status(403)),
    "a redirect to another path": over_http1(redirect("/final.mp4")),
    "a redirect when the body goes on": over_http1(per_request(cut(), redirect("/final.mp4"))),
    "a redirect to another version when the body goes on": over_http1(
        per_request(cut('ETag: "old"'), redirect("/final.mp4"), good('ETag: "new"'))
    ),
    "redirects in a circle": over_http1(redirect("/again.mp4")),
    "a redirect to plain HTTP": over_http1(redirect("http://127.0.0.1/final.mp4")),
    "a body compressed with gzip, whatever was asked for": over_http1(
        lambda origin, connection, request: file_response(
            gzip.compress(BODY), request, "Content-Encoding: gzip"
        )
    ),
    "a body compressed with br": over_http1(coded("br", BODY)),
    "a body compressed with zstd": over_http1(coded("zstd", BODY)),
    "a body compressed twice": over_http1(coded("deflate, gzip", BODY)),
    "compressed when the body goes on": over_http1(per_request(cut(), coded("gzip", BODY))),
    "the label aws-chunked on a plain body": over_http1(good("Content-Encoding: aws-chunked")),
    "206 for the whole": over_http1(part_unasked),
    "ranges of an unknown whole": over_http1(per_request(cut(), unknown_total)),
    "ranges in multipart form": over_http1(per_request(cut(), in_several_parts)),
    "chunks with a trailer": over_http1(chunked),
    "a weak entity tag, breaks off after 500 KB": over_http1(
        per_request(cut('ETag: W/"a"'), good('ETag: W/"a"'))
    ),
    "a strong entity tag that becomes weak": over_http1(per_request(cut('ETag: "a"'), good('ETag: W/"a"'))),
    "Last-Modified only, breaks off after 500 KB": over_http1(
        per_request(cut("Last-Modified: Mon"), good("Last-Modified: Mon"))
    ),
    "another length when the body goes on": over_http1(
        per_request(cut(), lambda origin, connection, request: file_response(BODY + b"more", request))
    ),
    "416 when the body goes on": over_http1(per_request(cut(), status(416))),
    "another weak entity tag when the body goes on": over_http1(
        per_request(cut('ETag: W/"a"'), good('ETag: W/"b"'))
    ),
    "another entity tag when the body goes on": over_http1(first_then(CUT_OLD, good('ETag: "new"'))),
    "another Last-Modified when the body goes on": over_http1(
        first_then(CUT_MONDAY, good("Last-Modified: Tue"))
    ),
    "a certificate of an unknown authority": unknown_authority,
    "a certificate for another host": over_http1(
        good(), url=lambda origin: f"https://127.0.0.5:{origin.port}/"
    ),
    "no TLS behind an https URL": without_tls,
    "refuses connections": refuses,
    "a name that does not resolve": over_http1(good(), url=lambda origin: "https://nowhere.invalid/a.mp4"),
    "speaks no HTTP": over_http1(lambda origin, connection, request: b"220 mail.example ESMTP\r\n\r\n"),
}


def test_every_row_is_tried() -> None:
    assert list(TABLE) == list(ORIGINS)


@pytest.mark.parametrize("what", ORIGINS)
def test_the_outcome_is_what_the_page_says(what: str) -> None:
    with ORIGINS[what]() as (origin, url):
        settings = loopback_settings(origin, max_video_mb=2)
        pool = ConnectionPool(settings)
        try:
            seconds = 3.0 if "DeadlineExceeded" in TABLE[what] else 60.0
            assert fetch(pool, url, settings, seconds) == BODY
            outcome = "complete"
        except ChallengeError as error:
            outcome = f"`{type(error).__name__}`"
        finally:
            pool.close()
    assert outcome in TABLE[what].split(" or ")
