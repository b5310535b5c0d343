"""docs/reference/origins.md, row by row."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
    "404": over_http1(status(404)),
    "403": over_http1(status(403)),
    "a redirect to another path": over_http1(redirect("/final.mp4")),
    "redirects in a circle": over_http1(redirect("/again.mp4")),
    "a redirect to plain HTTP": over_http1(redirect("http://127.0.0.1/final.mp4")),
    "a body compressed with gzip, whatever was asked for": over_http1(
        lambda origin, connection, request: file_response(
            gzip.compress(BODY), request, "Content-Encoding: gzip"
        )
    ),
    "the label aws-chunked on a plain body": over_http1(good("Content-Encoding: aws-chunked")),
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
        settings = loopback_settings(origin, max_video_mb=2, reuse_probe_s=1.0)
        pool = ConnectionPool(settings)
        try:
            assert fetch(pool, url, settings, seconds=1.5) == BODY
            outcome = "complete"
        except ChallengeError as error:
            outcome = f"`{type(error).__name__}`"
        finally:
            pool.close()
    assert outcome in TABLE[what].split(" or ")
