"""HTTP/2 origins that allow few streams, go away, or change the file: the pool is never blocked by them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from services.download.pool import ConnectionPool
from services.errors import DeadlineExceeded, SourceChanged, StreamStalled
from tests.support.downloads import RunningDownload, fetch, loopback_settings
from tests.support.scripted_origins import Http2Origin, Http2Script

pytestmark = pytest.mark.integration

BODY = bytes((i * 7 + i // 251) % 256 for i in range(2_000_000))
SLOW = 3_000_000.0
"""Bytes a second at which the origin's settings change in mid-body."""

StartOrigin = Callable[[Http2Script], tuple[Http2Origin, ConnectionPool]]


@pytest.fixture
def start() -> Iterator[StartOrigin]:
    with ExitStack() as stack:

        def start(script: Http2Script) -> tuple[Http2Origin, ConnectionPool]:
            origin = stack.enter_context(Http2Origin(BODY, script))
            pool = ConnectionPool(loopback_settings(origin))
            stack.callback(pool.close)
            return origin, pool

        yield start


@pytest.mark.parametrize("max_streams", [None, 1, 2, 128])
def test_the_end_is_read_out_of_order_however_many_streams_the_origin_allows(
    start: StartOrigin, max_streams: int | None
) -> None:
    rest_may_come = threading.Event()
    origin, pool = start(Http2Script(max_streams=max_streams, rest_may_come=rest_may_come))
    pool.warmup(origin.url())
    with RunningDownload(pool, origin.url(), loopback_settings(origin)) as running:
        assert running.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
        rest_may_come.set()
        assert running.body() == BODY
    assert running.fact("out_of_order_reads") == 1
    assert origin.connections == (2 if max_streams == 1 else 1)


@pytest.mark.parametrize("lower_to", [0, 1])
def test_an_origin_that_allows_fewer_streams_in_mid_body_blocks_nobody(
    start: StartOrigin, lower_to: int
) -> None:
    script = Http2Script(max_streams=100, lower_after=200_000, lower_to=lower_to, rate=SLOW)
    origin, pool = start(script)
    with RunningDownload(pool, origin.url(), loopback_settings(origin)) as running:
        running.stream.read_at(300_000, 1000)
        tail = running.stream.read_at(len(BODY) - 1000, 1000)
        body = running.body()
    assert (tail, body) == (BODY[-1000:], BODY)
    assert fetch(pool, origin.url(), loopback_settings(origin)) == BODY


def test_a_body_that_was_begun_is_finished_after_goaway(start: StartOrigin) -> None:
    origin, pool = start(Http2Script(go_away_after=500_000))
    with RunningDownload(pool, origin.url(), loopback_settings(origin)) as running:
        assert running.body() == BODY
    assert running.fact("resumes") is None
    assert fetch(pool, origin.url(), loopback_settings(origin)) == BODY
    assert origin.connections == 2


def test_a_server_that_is_reloaded_again_and_again_costs_a_resume_each_time(start: StartOrigin) -> None:
    origin, pool = start(Http2Script(close_after=700_000))
    with RunningDownload(pool, origin.url(), loopback_settings(origin)) as running:
        assert running.body() == BODY
    assert running.fact("resumes") == 2


def test_an_origin_that_turns_every_request_away_is_not_asked_for_ever(start: StartOrigin) -> None:
    origin, pool = start(Http2Script(turned_away=1_000_000))
    with pytest.raises(StreamStalled, match="takes no requests"):
        fetch(pool, origin.url(), loopback_settings(origin), seconds=5)
    assert origin.connections < 30


def test_pings_without_an_answer_end_at_the_deadline(start: StartOrigin) -> None:
    origin, pool = start(Http2Script(silent=True))
    with (
        RunningDownload(pool, origin.url(), loopback_settings(origin), seconds=3.0) as running,
        pytest.raises((StreamStalled, DeadlineExceeded)),
    ):
        running.body()


def test_another_entity_tag_on_the_way_is_an_error_and_never_two_files_in_one(start: StartOrigin) -> None:
    origin, pool = start(Http2Script(close_after=700_000, etags=['"one"', '"two"']))
    with (
        RunningDownload(pool, origin.url(), loopback_settings(origin)) as running,
        pytest.raises(SourceChanged, match="two"),
    ):
        running.body()
    assert origin.requests[-1].headers["if-range"] == '"one"'
