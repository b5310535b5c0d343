"""Origins that drip, flood, lie about ranges, compress or refuse for a moment."""

from __future__ import annotations

import gzip
import itertools
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download import range_fetch
from services.download.blocks import PIECE
from services.download.keep_warm import MAX_FAILURES, KeepWarm
from services.download.origins import MAX_REMEMBERED
from services.download.picture_download import download_picture
from services.download.pool import ConnectionPool
from services.errors import (
    Cancelled,
    ChallengeError,
    DeadlineExceeded,
    SourceChanged,
    SourceRejected,
    StreamStalled,
    TooLarge,
    UrlRefused,
)
from services.settings import Settings
from tests.support.downloads import RunningDownload, fetch, loopback_settings
from tests.support.processes import wait_for
from tests.support.scripted_origins import (
    Handler,
    Http1Origin,
    Request,
    file_response,
    text_response,
)

pytestmark = pytest.mark.integration

BODY = bytes((i * 7 + i // 251) % 256 for i in range(1_500_000))
TIMED_OUT = (StreamStalled, DeadlineExceeded)

StartOrigin = Callable[[Handler], Http1Origin]
MakePool = Callable[..., tuple[ConnectionPool, Settings]]


@pytest.fixture
def start() -> Iterator[StartOrigin]:
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(Http1Origin(handler))


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    with ExitStack() as stack:

        def make(origin: Http1Origin, **overrides: object) -> tuple[ConnectionPool, Settings]:
            settings = loopback_settings(origin, **overrides)
            pool = ConnectionPool(settings)
            stack.callback(pool.close)
            return pool, settings

        yield make


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection that works counts as hanging, though the machine stall for a moment."""
    monkeypatch.setattr(range_fetch, "MIN_PATIENCE_S", 2.0)


def serve_file(connection: ssl.SSLSocket, request: Request) -> bool:
    """A good origin."""
    connection.sendall(file_response(BODY, request))
    return True


def drip(start: bytes, part: bytes) -> Handler:
    """After a good first answer on each connection: the start of an answer, then a part of it without end."""

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.method == "HEAD":
            return serve_file(connection, request)
        connection.sendall(start)
        ended = threading.Event()
        while not ended.wait(0.05):
            connection.sendall(part)
        return False

    return handler


DRIPS = {
    "head": drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "informational responses": drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a"),
}


@pytest.mark.parametrize("what", DRIPS)
@pytest.mark.parametrize("warm", [True, False])
def test_what_drips_ends_at_the_deadline_and_holds_up_nobody(
    start: StartOrigin, make_pool: MakePool, what: str, warm: bool
) -> None:
    origin = start(DRIPS[what])
    pool, settings = make_pool(origin)
    if warm:
        pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings, seconds=3.0) as dripping:
        # another request on the same pool is answered while the first one drips
        pool.warmup(origin.url())
        with pytest.raises(TIMED_OUT):
            dripping.body()


@pytest.mark.parametrize("what", DRIPS)
def test_a_picture_that_drips_ends_at_the_deadline(
    start: StartOrigin, make_pool: MakePool, what: str
) -> None:
    origin = start(DRIPS[what])
    pool, _ = make_pool(origin)
    with pytest.raises(TIMED_OUT):
        download_picture(pool, origin.url(), Deadline.after(3.0), CancelScope(), 10_000_000)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_head_that_drips_ends_neither_keep_warm_nor_other_origins(
    start: StartOrigin, make_pool: MakePool, answered: int
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if len(origin.requests) <= answered:
            return serve_file(connection, request)
        origin.drip(connection, b"HTTP/1.1 103 X\r\n\r\n")
        return False

    origin = start(handler)
    pool, _ = make_pool(origin, connect_timeout_s=1.5, stall_timeout_s=1.5, reuse_probe_s=1.0)
    keeper = KeepWarm(pool, [origin.url()], 60, busy=lambda: False)
    for _ in range(answered):
        assert keeper.touch_all() == {origin.url(): None}

    assert keeper.touch_all()[origin.url()] is not None


def test_what_a_range_connection_drips_is_asked_of_the_others(
    start: StartOrigin, make_pool: MakePool
) -> None:
    dripping = threading.Lock()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.headers.get("range", "").startswith("bytes=0-") and dripping.acquire(blocking=False):
            connection.sendall(file_response(BODY, request)[:300])
            origin.drip(connection, b"a")
        return serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=6, range_min_rtt_ms=0)
    pool.warmup(origin.url())

    with RunningDownload(pool, origin.url(), settings) as running:
        running.body()

    assert running.fact("range_connections") == "5/6"
    assert running.fact("takeovers") is None


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("sparse", [True, False])
def test_the_pool_takes_over_when_all_range_connections_drip(
    start: StartOrigin, make_pool: MakePool, count: int, sparse: bool
) -> None:
    of_the_pool = set()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.method == "HEAD" and request.target != "/":
            of_the_pool.add(connection)
        if request.method == "HEAD" or connection in of_the_pool:
            return serve_file(connection, request)
        response = file_response(BODY, request)
        connection.sendall(response[:300])
        for byte in response[300:]:
            connection.sendall(bytes([byte]))
            if origin.closing.wait(0.05):
                break
        return False

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=count, range_min_rtt_ms=0)
    pool.warmup(origin.url())

    with RunningDownload(pool, origin.url(), settings, sparse=sparse) as running:
        body = running.body()

    assert body == BODY
    assert running.fact("takeovers") == 1


def test_range_connections_that_come_back_during_a_takeover_do_not_move_its_body(
    start: StartOrigin, make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_fetch, "POLL_S", 10.0)  # what comes back is received in the round that waits
    whole = BODY * 4  # more than what is asked for at the beginning
    come_back = threading.Event()
    download: list[RunningDownload] = []

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        response = file_response(whole, request)
        if request.method == "HEAD" or request.span(len(whole)) is not None:
            come_back.wait(60 if request.method == "GET" else 0)
            connection.sendall(response)
            return True
        connection.sendall(response[:200_000])
        wait_for(lambda: download[0].fact("takeovers") is not None)
        come_back.set()
        wait_for(lambda: download[0].fact("range_connections") is not None)
        connection.sendall(response[200_000:])
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings) as running:
        download.append(running)
        body = running.body()

    assert running.fact("takeovers") == 1
    assert body == whole


# -- size ---------------------------------------------------------------------------------------------------


def test_an_out_of_order_read_is_not_answered_with_more_than_was_asked_for(
    start: StartOrigin, make_pool: MakePool
) -> None:
    flood = b"%x\r\n" % (1 << 16) + bytes(1 << 16) + b"\r\n"

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        span = request.span(len(BODY))
        if span is None:
            connection.sendall(file_response(BODY, request)[:100_000])
            origin.closing.wait(60)
            return False
        head = f"Content-Range: bytes {span[0]}-{span[1] - 1}/{len(BODY)}\r\nTransfer-Encoding: chunked"
        connection.sendall(f"HTTP/1.1 206 Partial Content\r\n{head}\r\n\r\n".encode())
        connection.sendall(b"%x\r\n" % (span[1] - span[0]) + BODY[slice(*span)] + b"\r\n")
        origin.drip(connection, flood, pause_s=0)
        return False

    origin = start(handler)
    pool, settings = make_pool(origin, max_video_mb=2, stall_timeout_s=3.0)
    with RunningDownload(pool, origin.url(), settings) as running:
        tail = running.stream.read_at(len(BODY) - 1000, 1000)
        # the rest stalls: fetched anew in time, or given up; never anything else
        with suppress(ChallengeError):
            assert running.body() == BODY
    assert tail == BODY[-1000:]
    assert (running.fact("bytes") or 0) <= 2 * len(BODY)


def test_a_body_without_a_length_that_never_ends_is_too_large(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        origin.drip(connection, bytes(1 << 16), pause_s=0)
        return False

    origin = start(handler)
    pool, settings = make_pool(origin, max_video_mb=1)
    with pytest.raises(TooLarge, match="MAX_VIDEO_MB"):
        fetch(pool, origin.url(), settings)


LIES: dict[str, Callable[[int, int], tuple[str, bytes]]] = {
    "other bytes": lambda a, b: (f"{a + 1}-{b}/{len(BODY)}", BODY[a + 1 : b + 1]),
    "more bytes than asked for": lambda a, b: (f"{a}-{b}/{len(BODY)}", BODY[a : b + 1]),
    "fewer bytes than announced": lambda a, b: (f"{a}-{b - 1}/{len(BODY)}", BODY[a : b - 9]),
}


@pytest.mark.parametrize("lie", LIES)
def test_ranges_that_are_not_what_was_asked_for_are_not_used(
    start: StartOrigin, make_pool: MakePool, lie: str
) -> None:
    lies = iter(range(4))

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        span = request.span(len(BODY))
        if span is None or next(lies, None) is None:
            return serve_file(connection, request)
        content_range, part = LIES[lie](*span)
        head = f"Content-Range: bytes {content_range}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(b"HTTP/1.1 206 X\r\n" + head.encode())
        connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n0\r\n\r\n")
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    assert fetch(pool, origin.url(), settings) == BODY


# -- versions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("range_connections", [0, 8])
def test_a_file_that_changes_while_it_is_fetched_is_noticed(
    start: StartOrigin, make_pool: MakePool, name: str, range_connections: int
) -> None:
    gets = itertools.count()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        version = "new" if request.method == "GET" and next(gets) else "old"
        response = file_response(BODY, request, f'{name}: "{version}"')
        if request.method == "GET" and request.span(len(BODY)) is None:
            connection.sendall(response[:400_000])
            return False
        connection.sendall(response)
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with pytest.raises(SourceChanged):
        fetch(pool, origin.url(), settings)


# -- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 524])
def test_a_refusal_that_passes_is_asked_again(start: StartOrigin, make_pool: MakePool, status: int) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if len(origin.requests) == 1:
            connection.sendall(text_response(status, "Retry-After: 0"))
            return True
        return serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin)
    with RunningDownload(pool, origin.url(), settings) as running:
        assert running.body() == BODY
    assert running.fact("refusals") == 1


def test_a_resume_that_is_refused_for_a_moment_goes_on(start: StartOrigin, make_pool: MakePool) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if len(origin.requests) == 1:
            connection.sendall(file_response(BODY, request)[:500_000])
            return False
        if len(origin.requests) == 2:
            connection.sendall(text_response(503))
            return True
        return serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin)
    assert fetch(pool, origin.url(), settings) == BODY


def test_an_origin_that_is_restarted_in_mid_body_is_waited_for(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def cut(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(file_response(BODY, request)[:500_000])
        first.stop_listening()
        return False

    first = start(cut)
    pool, settings = make_pool(first)
    with RunningDownload(pool, first.url(), settings) as running:
        assert running.stream.read_at(0, 400_000) == BODY[:400_000]
        assert wait_for(lambda: running.fact("refusals") is not None)
        with Http1Origin(serve_file, port=first.port):
            assert running.body() == BODY


@pytest.mark.parametrize(("status", "headers"), [(404, ()), (403, ()), (503, ("Retry-After: 3600",))])
def test_a_refusal_that_lasts_is_told_at_once(
    start: StartOrigin, make_pool: MakePool, status: int, headers: tuple[str, ...]
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(text_response(status, *headers))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin)
    with pytest.raises(SourceRejected) as caught:
        fetch(pool, origin.url(), settings)
    assert caught.value.retryable == (status == 503)
    assert len(origin.requests) == 1


def test_a_picture_that_is_refused_for_a_moment_is_asked_for_again(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if len(origin.requests) == 1:
            connection.sendall(text_response(503))
            return True
        return serve_file(connection, request)

    origin = start(handler)
    pool, _ = make_pool(origin)
    found = download_picture(pool, origin.url(), Deadline.after(60), CancelScope(), 10_000_000)
    assert found == BODY


def test_the_cancel_of_a_picture_is_told_as_such(start: StartOrigin, make_pool: MakePool) -> None:
    reads = threading.Event()

    class Scope(CancelScope):
        def on_cancel(self, callback: Callable[[], None]) -> None:
            super().on_cancel(callback)
            reads.set()

    scope = Scope()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(file_response(BODY, request).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        reads.wait(10)
        scope.cancel()
        origin.closing.wait(30)
        return False

    origin = start(handler)
    pool, _ = make_pool(origin, stall_timeout_s=60.0)
    with pytest.raises(Cancelled):
        download_picture(pool, origin.url(), Deadline.after(60), scope, 10_000_000)


def test_range_connections_are_used_again_after_one_address_that_does_not_exist(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.target == "/missing.mp4":
            connection.sendall(text_response(404))
            return True
        return serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with pytest.raises(SourceRejected, match="404"):
        fetch(pool, origin.url("missing.mp4"), settings)
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings) as running:
        assert running.body() == BODY
    assert running.fact("range_connections") == "8/8"


# -- what a body is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("range_connections", [0, 8])
@pytest.mark.parametrize("label", ["aws-chunked", "", "identity", "utf-8"])
def test_labels_that_are_no_compression_are_ignored(
    start: StartOrigin, make_pool: MakePool, label: str, range_connections: int
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(file_response(BODY, request, f"Content-Encoding: {label}"))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    assert fetch(pool, origin.url(), settings) == BODY


@pytest.mark.parametrize("range_connections", [0, 8])
def test_a_compressed_body_is_refused_by_the_name_of_its_compression(
    start: StartOrigin, make_pool: MakePool, range_connections: int
) -> None:
    packed = gzip.compress(BODY)

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(file_response(packed, request, "Content-Encoding: gzip"))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with pytest.raises(SourceRejected, match="gzip"):
        fetch(pool, origin.url(), settings)


@pytest.mark.parametrize("range_connections", [0, 8])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("Málaga.mp4", "/M%C3%A1laga.mp4"),
        ("M%C3%A1laga.mp4", "/M%C3%A1laga.mp4"),
        ("Real Madrid.mp4", "/Real%20Madrid.mp4"),
        ("a.mp4?title=Atlético", "/a.mp4?title=Atl%C3%A9tico"),
        ("a.mp4?X-Amz-Signature=ab%2Fc%3d&e=1", "/a.mp4?X-Amz-Signature=ab%2Fc%3d&e=1"),
        ("a.mp4#t=10,20", "/a.mp4"),
    ],
)
def test_urls_go_out_in_ascii_and_signatures_as_they_are(
    start: StartOrigin, make_pool: MakePool, path: str, sent: str, range_connections: int
) -> None:
    origin = start(serve_file)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url(""))
    assert fetch(pool, origin.url(path), settings) == BODY
    assert {request.target for request in origin.requests if request.method == "GET"} == {sent}


# -- what is kept -------------------------------------------------------------------------------------------


def test_one_origin_in_several_spellings_is_one(start: StartOrigin, make_pool: MakePool) -> None:
    origin = start(serve_file)
    pool, settings = make_pool(origin)
    for host in ("localhost", "LOCALHOST", "LocalHost"):
        assert fetch(pool, f"https://{host}:{origin.port}/", settings) == BODY
    assert pool.origins() == (f"https://localhost:{origin.port}/",)


def test_connections_of_origins_that_are_no_longer_remembered_are_closed(
    start: StartOrigin, make_pool: MakePool
) -> None:
    origins = [start(serve_file) for _ in range(MAX_REMEMBERED + 2)]
    pool, settings = make_pool(origins[0], range_connections=3, range_min_rtt_ms=0)
    keeper = KeepWarm(pool, [], 60, busy=lambda: False)

    for origin in origins:
        assert fetch(pool, origin.url(), settings) == BODY
        keeper.touch_all()

    assert pool.origins() == tuple(origin.url("") for origin in origins[2:])
    assert wait_for(lambda: [origin.open for origin in origins] == [0, 0] + [4] * MAX_REMEMBERED)


def test_an_origin_that_only_a_challenge_named_is_forgotten_when_it_fails(
    start: StartOrigin, make_pool: MakePool
) -> None:
    broken = threading.Event()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        return not broken.is_set() and serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=4, range_min_rtt_ms=0)
    assert fetch(pool, origin.url(), settings) == BODY
    keeper = KeepWarm(pool, [], 60, busy=lambda: False)
    assert keeper.touch_all() == {origin.url(""): None}
    broken.set()

    rounds = [keeper.touch_all() for _ in range(MAX_FAILURES + 1)]

    assert [len(touched) for touched in rounds] == [1] * MAX_FAILURES + [0]
    assert wait_for(lambda: origin.open == 0)


# -- what only a misunderstanding explains -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("range_connections", [0, 8])
def test_an_entity_tag_need_not_be_ascii(
    start: StartOrigin, make_pool: MakePool, range_connections: int, encoding: str
) -> None:
    tag = "M\u00e1laga".encode(encoding).decode("latin-1")
    breaks = iter(range(range_connections))  # after these the pool's connection brings the rest

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        response = file_response(BODY, request, f'ETag: "{tag}"')
        span = request.span(len(BODY))
        if span is not None and 100_000 < span[0] < 1_000_000 and next(breaks, None) is not None:
            return False
        whole = request.method == "GET" and span is None
        connection.sendall(response[:400_000] if whole else response)
        return not whole

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    assert fetch(pool, origin.url(), settings) == BODY


@pytest.mark.parametrize("location", ["https://[", "http://a]b/"])
def test_a_redirect_to_what_is_no_url_is_refused(
    start: StartOrigin, make_pool: MakePool, location: str
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(text_response(302, f"Location: {location}"))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin)
    with pytest.raises(UrlRefused, match="not a URL"):
        fetch(pool, origin.url(), settings, seconds=60)


def test_a_redirect_says_nothing_about_the_version_of_the_video(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.target == "/clip.mp4":
            connection.sendall(text_response(302, "Location: /moved.mp4", 'ETag: "of the redirect"'))
        else:
            connection.sendall(file_response(BODY, request, 'ETag: "of the video"'))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    assert fetch(pool, origin.url(), settings) == BODY


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 6 * PIECE, 6 * PIECE + 1])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("range_connections", [0, 1, 8])
def test_files_of_every_size_are_complete_after_a_few_requests(
    start: StartOrigin, make_pool: MakePool, size: int, sparse: bool, range_connections: int
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        connection.sendall(file_response(BODY[:size], request))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=range_connections, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings, seconds=60, sparse=sparse) as running:
        running.restrict_to(None)
        assert running.body() == BODY[:size]
    assert len([request for request in origin.requests if request.method == "GET"]) < 50


def test_an_origin_that_denies_bytes_which_it_has_is_not_asked_for_ever(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.span(len(BODY)) is None:
            connection.sendall(file_response(BODY, request)[:400_000])
            return False
        connection.sendall(text_response(416, f"Content-Range: bytes */{len(BODY)}"))
        return True

    origin = start(handler)
    pool, settings = make_pool(origin)
    with pytest.raises(SourceRejected, match="416"):
        fetch(pool, origin.url(), settings, seconds=60)
    assert len(origin.requests) < 10


@pytest.mark.parametrize("denied", ["bytes=-", "bytes=0-", f"bytes={PIECE}-"])
def test_pieces_that_an_origin_denies_are_fetched_while_the_plan_is_awaited(
    start: StartOrigin, make_pool: MakePool, denied: str
) -> None:
    denials = iter(range(2 if denied == "bytes=-" else 1))

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.headers.get("range", "").startswith(denied) and next(denials, None) is not None:
            connection.sendall(text_response(416, f"Content-Range: bytes */{len(BODY)}"))
            return True
        return serve_file(connection, request)

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings, seconds=60, sparse=True) as running:
        assert running.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
        assert running.stream.read_at(0, 2 * PIECE) == BODY[: 2 * PIECE]


def test_a_plan_that_leads_behind_the_end_of_a_body_without_length_is_told_so(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.method == "HEAD":
            return serve_file(connection, request)
        chunk = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        return True

    origin = start(handler)
    pool, settings = make_pool(origin, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), settings, seconds=60, sparse=True) as running:
        assert running.stream.read_at(0, 1000) == BODY[:1000]
        running.restrict_to([ByteSpan(0, 2 * len(BODY))])
        assert running.stream.read_at(len(BODY) - 10, 20) == BODY[-10:]


def test_a_gap_that_is_closed_without_its_end_mark_is_closed(start: StartOrigin, make_pool: MakePool) -> None:
    tail_read = threading.Event()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        span = request.span(len(BODY))
        response = file_response(BODY, request)
        if span is None:
            connection.sendall(response[:1_300_000])
            tail_read.wait(60)
            return False
        if span[1] == len(BODY):
            connection.sendall(response)
            return True
        head = f"Content-Range: bytes {span[0]}-{span[1] - 1}/{len(BODY)}\r\nTransfer-Encoding: chunked"
        connection.sendall(f"HTTP/1.1 206 Partial Content\r\n{head}\r\n\r\n".encode())
        connection.sendall(b"%x\r\n" % (span[1] - span[0]) + BODY[slice(*span)] + b"\r\n")
        return False

    origin = start(handler)
    pool, settings = make_pool(origin)
    with RunningDownload(pool, origin.url(), settings) as running:
        far = len(BODY) - 1000
        assert running.stream.read_at(0, 1000) == BODY[:1000]
        assert running.stream.read_at(far, 1000) == BODY[far:]
        tail_read.set()
        assert running.body() == BODY


def test_an_origin_that_is_restarted_while_ranges_arrive_is_waited_for(
    start: StartOrigin, make_pool: MakePool
) -> None:
    stopped = threading.Event()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        span = request.span(len(BODY))
        if span is not None and 100_000 < span[0] < 1_000_000:
            first.stop_listening()
            stopped.set()
        return not stopped.is_set() and serve_file(connection, request)

    first = start(handler)
    pool, settings = make_pool(first, range_connections=8, range_min_rtt_ms=0)
    pool.warmup(first.url())
    with RunningDownload(pool, first.url(), settings) as running:
        assert stopped.wait(60)
        assert wait_for(lambda: running.fact("refusals") is not None or running.ended)
        with Http1Origin(serve_file, port=first.port):
            assert running.body() == BODY


def test_a_drip_on_a_connection_that_was_open_already_does_not_end_keep_warm(
    start: StartOrigin, make_pool: MakePool
) -> None:
    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.number == 1:
            return serve_file(connection, request)
        origin.drip(connection, b"HTTP/1.1 103 X\r\n\r\n")
        return False

    origin = start(handler)
    pool, _ = make_pool(origin, connect_timeout_s=0.2, stall_timeout_s=0.2, reuse_probe_s=0.15)
    pool.warmup(origin.url())

    touched = KeepWarm(pool, [origin.url()], 60, busy=lambda: False).touch_all()

    assert list(touched) == [origin.url()]


def test_a_cancel_while_the_head_is_waited_for_ends_the_body_that_follows(
    start: StartOrigin, make_pool: MakePool
) -> None:
    download: list[RunningDownload] = []

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        assert wait_for(lambda: bool(download))
        download[0].scope.cancel()
        connection.sendall(file_response(BODY, request).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        origin.closing.wait(30)
        return False

    origin = start(handler)
    pool, settings = make_pool(origin, stall_timeout_s=60.0)
    with RunningDownload(pool, origin.url(), settings, seconds=60) as running:
        download.append(running)
        with pytest.raises(Cancelled):
            running.body()


def test_the_retry_after_a_dead_connection_is_sent_over_a_fresh_one(
    start: StartOrigin, make_pool: MakePool
) -> None:
    dead = threading.Event()

    def handler(connection: ssl.SSLSocket, request: Request) -> bool:
        if dead.is_set() and request.number > 1:
            origin.closing.wait(30)
            return False
        return serve_file(connection, request)

    origin = start(handler)
    pool, _ = make_pool(origin, reuse_probe_s=0.2)
    deadline = Deadline.after(60)
    with pool.open(origin.url(), deadline) as one, pool.open(origin.url(), deadline) as other:
        assert b"".join(one.chunks()) == b"".join(other.chunks()) == BODY
    assert origin.connections == 2
    dead.set()
    with pool.open(origin.url(), deadline) as exchange:
        assert exchange.connected
