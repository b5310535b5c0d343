"""A file over several range connections, against a real TLS origin, with every fault of one of them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.byte_span import ByteSpan
from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download import range_connection_pool, range_fetch
from services.download.blocks import PIECE
from services.download.byte_stream import ByteStream
from services.download.pool import ConnectionPool
from services.download.range_connection import RangeConnection
from services.download.range_connection_pool import DEFAULT_COUNT, RangeConnectionPool
from services.download.range_fetch import RangeFetch
from services.errors import ConnectFailed, StreamStalled
from services.settings import Settings
from services.timeline import Timeline
from tests.support.downloads import RunningDownload, loopback_settings
from tests.support.processes import wait_for
from tests.support.scripted_origins import Http1Origin, Request, file_response
from touchline_lab.demo_origin.faults import Fault
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration

BODY = bytes((i * 7 + i // 251) % 256 for i in range(2_000_000))
SMALL = BODY[:40_000]
COUNT = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DemoOrigin]:
    (tmp_path / "body.bin").write_bytes(BODY)
    (tmp_path / "small.bin").write_bytes(SMALL)
    with DemoOrigin(tmp_path) as origin:
        yield origin


@pytest.fixture
def settings(server: DemoOrigin) -> Settings:
    return loopback_settings(server, range_connections=COUNT, range_min_rtt_ms=0)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection that works counts as hanging, however long the machine stalls."""
    for name in ("MIN_PATIENCE_S", "MAX_PATIENCE_S"):
        monkeypatch.setattr(range_fetch, name, 60.0)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that hang are noticed soon, and working ones are no slower than that."""
    monkeypatch.setattr(range_fetch, "MIN_PATIENCE_S", 2.0)


@pytest.fixture
def pool(server: DemoOrigin, settings: Settings) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(settings)
    for _ in range(2):  # the second touch tells the round trip
        pool.warmup(server.base_url)
    yield pool
    pool.close()


class MuteConnection:
    """A range connection whose requests get lost, as packets do: they stay unanswered."""

    def __init__(self, connection: RangeConnection) -> None:
        self._connection = connection
        self.unanswered = 0

    def send(self, *_: Any) -> None:
        self.unanswered += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class AnswersFirstOnly:
    """A range connection whose first request is answered and whose others get lost."""

    def __init__(self, connection: RangeConnection) -> None:
        self._connection = connection
        self._sent = 0
        self._lost = 0

    @property
    def unanswered(self) -> int:
        return self._connection.unanswered + self._lost

    def send(self, *arguments: Any) -> None:
        self._sent += 1
        if self._sent == 1:
            self._connection.send(*arguments)
        else:
            self._lost += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class BreakingConnection:
    """A range connection that the origin closes after it has been read from twice."""

    def __init__(self, connection: RangeConnection) -> None:
        self._connection = connection
        self._reads = 0

    def receive(self, take: Callable[[int, bytes], None]) -> int:
        self._reads += 1
        if self._reads > 2:
            raise OSError("the origin closed the connection")
        return self._connection.receive(take)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class FaultyPool:
    """A range connection pool some of whose connections have a fault, by their numbers."""

    def __init__(
        self, pool: RangeConnectionPool, fault: Callable[[Any], Any], faulty: Container[int]
    ) -> None:
        self._pool = pool
        self._fault = fault
        self._faulty = faulty

    @contextmanager
    def lend(self, url: str) -> Iterator[tuple[list[Any], float]]:
        with self._pool.lend(url) as (connections, round_trip_s):
            lent = [self._fault(c) if i in self._faulty else c for i, c in enumerate(connections)]
            yield lent, round_trip_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


@contextmanager
def with_fault(
    pool: ConnectionPool, fault: Callable[[Any], Any], faulty: Container[int] = range(COUNT)
) -> Iterator[None]:
    """The pool with a fault in some of its range connections, by default in all of them."""
    real = pool.range_connections
    pool.range_connections = FaultyPool(real, fault, faulty)  # type: ignore[assignment]
    yield
    pool.range_connections = real


def fetch(pool: ConnectionPool, url: str, settings: Settings) -> tuple[bytes, RunningDownload]:
    """The whole body, and the download that brought it."""
    with RunningDownload(pool, url, settings) as running:
        return running.body(), running


def test_the_file_arrives_in_ranges_over_all_range_connections(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"
    asked = [request for request in server.requests() if request.method == "GET"]
    ranges = {request.range for request in asked}
    assert {f"bytes=0-{PIECE - 1}", f"bytes=-{PIECE}", f"bytes=-{2 * PIECE}"} <= ranges
    assert None not in ranges, "nobody asked for the whole file"
    # the end is asked for in two pieces, one within the other; nothing else comes twice
    assert download.fact("bytes") == len(BODY) + PIECE
    assert server.stats().handshakes == COUNT + 1
    again, download = fetch(pool, server.url("body.bin"), settings)
    assert again == BODY
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"
    assert server.stats().handshakes == COUNT + 1


def test_the_index_at_the_end_needs_no_request_of_its_own(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with RunningDownload(pool, server.url("body.bin"), settings) as running:
        assert running.stream.read_at(len(BODY) - 20_000, 20_000) == BODY[-20_000:]
    assert running.fact("out_of_order_reads") is None


def test_a_file_shorter_than_its_head(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    body, download = fetch(pool, server.url("small.bin"), settings)
    assert body == SMALL
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"


def test_connections_that_died_while_idle_are_made_up_for_and_opened_again(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    server.drop_connections()
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") != f"{COUNT}/{COUNT}"
    pool.warmup(server.base_url)
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"


@pytest.mark.parametrize(
    "fault", [Fault(no_range=True), Fault(redirect="/small.bin"), Fault(no_length=True)], ids=str
)
def test_origins_that_do_not_answer_ranges_lose_nothing(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, fault: Fault
) -> None:
    server.set_fault("/body.bin", fault)
    wanted = SMALL if fault.redirect else BODY
    assert fetch(pool, server.url("body.bin"), settings)[0] == wanted
    # the second time nobody tries
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == wanted
    if fault.no_range or fault.redirect:
        assert download.fact("range_connections") is None


def test_an_origin_that_limits_connections_keeps_those_it_has_room_for(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    allowed = 5  # one of them is the pool's
    server.set_fault("/body.bin", Fault(maximum_connections=allowed))
    url = server.url("body.bin")
    body, download = fetch(pool, url, settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{allowed - 1}/{COUNT}"
    assert download.fact("takeovers") is None
    # the others are not opened again
    pool.warmup(server.base_url)
    body, download = fetch(pool, url, settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{allowed - 1}/{allowed - 1}"
    assert server.stats().handshakes == COUNT + 1


@pytest.mark.usefixtures("hanging")
def test_the_others_bring_what_a_hanging_connection_was_asked_for(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with with_fault(pool, MuteConnection, {2}):
        body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{COUNT - 1}/{COUNT}"
    assert download.fact("handshakes") is None


@pytest.mark.usefixtures("hanging")
@pytest.mark.parametrize("sparse", [True, False])
def test_an_end_that_hanging_connections_were_asked_for_is_fetched_again(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, sparse: bool
) -> None:
    with (
        with_fault(pool, MuteConnection, {COUNT - 2, COUNT - 1}),
        RunningDownload(pool, server.url("body.bin"), settings, sparse=sparse) as running,
    ):
        assert running.stream.read_at(len(BODY) - PIECE, PIECE) == BODY[-PIECE:]
        running.restrict_to(None)
        assert running.body() == BODY
    assert running.fact("range_connections") == f"{COUNT - 2}/{COUNT}"


@pytest.mark.usefixtures("hanging")
@pytest.mark.parametrize("sparse", [True, False])
def test_a_head_of_which_a_hanging_connection_was_asked_for_a_piece_is_fetched_again(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, sparse: bool
) -> None:
    with (
        with_fault(pool, MuteConnection, {2}),
        RunningDownload(pool, server.url("body.bin"), settings, sparse=sparse) as running,
    ):
        assert running.stream.read_at(0, 6 * PIECE) == BODY[: 6 * PIECE]
        running.restrict_to(None)
        assert running.body() == BODY
    assert running.fact("range_connections") == f"{COUNT - 1}/{COUNT}"


@pytest.mark.usefixtures("hanging")
def test_what_lies_behind_a_head_that_was_asked_for_again_is_fetched_when_the_index_goes_on_there(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with (
        with_fault(pool, MuteConnection, {2}),
        RunningDownload(pool, server.url("body.bin"), settings, sparse=True) as running,
    ):
        assert running.stream.read_at(0, 6 * PIECE) == BODY[: 6 * PIECE]
        assert running.stream.read_at(6 * PIECE, 100_000) == BODY[6 * PIECE : 6 * PIECE + 100_000]


@pytest.mark.usefixtures("hanging")
def test_the_pool_takes_over_when_all_range_connections_hang(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with with_fault(pool, MuteConnection):
        body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("takeovers") == 1
    assert download.fact("handshakes") is None
    pool.warmup(server.base_url)
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"


@pytest.mark.usefixtures("hanging")
def test_an_origin_that_never_answers_pipelined_requests_gets_one_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    url = server.url("body.bin")
    for _ in range(3):
        with pool.range_connections.lend(url) as (lent, _):
            assert len(lent) == COUNT
        with with_fault(pool, MuteConnection):
            assert fetch(pool, url, settings)[0] == BODY
        pool.warmup(server.base_url)
    body, download = fetch(pool, url, settings)
    assert body == BODY
    assert download.fact("range_connections") is None


def test_connections_that_answer_late_go_on(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_fetch, "MIN_PATIENCE_S", 0.3)
    # all are silent for longer than working ones are, the pool's connection for as long
    body, download = fetch(pool, server.url("body.bin", delay=0.6), settings)
    assert body == BODY
    assert download.fact("takeovers") in (None, 1)


def test_range_connections_that_come_back_are_waited_for_when_the_pool_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = threading.Event()

    def fails(*_: Any, **__: Any) -> Any:
        tried.set()
        raise ConnectFailed("the name does not resolve")

    def answer_late(connection: ssl.SSLSocket, request: Request) -> bool:
        if request.method == "GET":
            assert tried.wait(30), "nobody noticed the silence"
        connection.sendall(file_response(SMALL, request))
        return True

    monkeypatch.setattr(range_fetch, "MIN_PATIENCE_S", 0.3)
    monkeypatch.setattr(RangeFetch, "_hanging", lambda fetching: [])  # each by itself
    with Http1Origin(answer_late) as origin:
        settings = loopback_settings(origin, range_connections=COUNT, range_min_rtt_ms=0)
        pool = ConnectionPool(settings)
        pool.warmup(origin.url())
        monkeypatch.setattr(pool, "open", fails)
        body, download = fetch(pool, origin.url(), settings)
        pool.close()
    assert body == SMALL
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"


def test_an_origin_that_needs_time_for_each_request_gets_few(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr(range_fetch, "MIN_PAUSE_S", 60.0)  # no pause is one of the origin's
        fetch(pool, server.url("body.bin"), settings)
    many = len(server.requests())
    body, download = fetch(pool, server.url("body.bin", delay=0.5), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{COUNT}/{COUNT}"
    assert len(server.requests()) - many < 0.8 * many


@pytest.mark.usefixtures("hanging")
def test_silence_on_every_path_is_told_after_the_longest_silence_allowed(
    server: DemoOrigin, settings: Settings
) -> None:
    short = settings.model_copy(update={"stall_timeout_s": 1.5, "reuse_probe_s": 1.0})
    pool = ConnectionPool(short)
    pool.warmup(server.base_url)
    with pytest.raises(StreamStalled):
        fetch(pool, server.url("body.bin", stall_after=0), short)
    pool.close()


def test_a_connection_that_the_origin_closes_in_the_middle_loses_nothing(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with with_fault(pool, BreakingConnection, {1}):
        body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{COUNT - 1}/{COUNT}"


def test_a_cancel_ends_head_and_body_and_leaves_the_pool_usable(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with RunningDownload(pool, server.url("body.bin", delay=1.0), settings):
        pass  # its end is the cancel
    assert not [thread.name for thread in threading.enumerate() if thread.name == "touchline-ranges"]
    assert fetch(pool, server.url("body.bin"), settings)[0] == BODY


def test_near_origins_get_no_range_connections(server: DemoOrigin, settings: Settings) -> None:
    far = settings.model_copy(update={"range_min_rtt_ms": 5000.0})
    pool = ConnectionPool(far)
    pool.warmup(server.base_url)
    assert fetch(pool, server.url("body.bin"), far)[0] == BODY
    assert server.stats().handshakes == 1
    pool.close()


@pytest.mark.parametrize(("delay_s", "long_s", "count"), [(0.0, 30.0, DEFAULT_COUNT), (0.3, 0.1, 40)])
def test_a_long_round_trip_gets_more_connections(
    server: DemoOrigin,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    delay_s: float,
    long_s: float,
    count: int,
) -> None:
    monkeypatch.setattr(range_connection_pool, "ROUND_TRIP_PER_CONNECTION_S", long_s / DEFAULT_COUNT)
    server.set_fault("/", Fault(delay=delay_s))
    pool = ConnectionPool(settings.model_copy(update={"range_connections": 40}))
    pool.warmup(server.base_url)
    assert server.stats().handshakes == count + 1
    body, download = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert download.fact("range_connections") == f"{count}/{count}"
    pool.close()


def test_connections_that_died_take_nothing_from_the_head_where_few_bytes_are_wanted(
    server: DemoOrigin, settings: Settings
) -> None:
    url = server.url("body.bin")
    pool = ConnectionPool(settings.model_copy(update={"range_connections": 16}))
    pool.warmup(server.base_url)
    with pool.range_connections.lend(url) as (held, _):
        for connection in held[:3]:
            connection.socket.shutdown(socket.SHUT_RDWR)
    scope, deadline = CancelScope(), Deadline.after(60)
    stream = ByteStream(deadline, scope, out_of_order=True, max_bytes=len(BODY))
    fetching = RangeFetch(
        pool.range_connections, url, stream, deadline, scope, Timeline(), await_restriction=True
    )
    assert fetching.start()
    stream.read_at(len(BODY) - PIECE, PIECE)
    head_and_end = {f"bytes=0-{PIECE - 1}", f"bytes=-{PIECE}", f"bytes=-{2 * PIECE}"}
    assert wait_for(lambda: head_and_end <= {request.range for request in server.requests()})
    scope.cancel()
    assert fetching.join(30)
    pool.close()


def test_bytes_just_behind_what_the_plan_needs_are_fetched_when_a_reader_needs_them(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with RunningDownload(pool, server.url("body.bin"), settings, sparse=True) as running:
        running.restrict_to([ByteSpan(0, 10 * PIECE)])
        assert running.stream.read_at(0, 10 * PIECE) == BODY[: 10 * PIECE]
        assert running.stream.read_at(20 * PIECE, 1000) == BODY[20 * PIECE : 20 * PIECE + 1000]


def test_bytes_outside_the_plan_are_fetched_again_when_reading_them_out_of_order_fails(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = pool.open, []

    def fails_once(*arguments: Any, **named: Any) -> Any:
        if not failed:
            failed.append(1)
            raise StreamStalled("the origin broke off")
        return real(*arguments, **named)

    monkeypatch.setattr(pool, "open", fails_once)
    with RunningDownload(pool, server.url("body.bin"), settings, sparse=True) as running:
        running.restrict_to([ByteSpan(0, 10 * PIECE)])
        assert running.stream.read_at(1_000_000, 1000) == BODY[1_000_000:1_001_000]
        assert running.stream.read_at(500_000, 1000) == BODY[500_000:501_000]
    assert failed


def test_a_plan_that_is_late_does_not_count_as_silence_of_the_connections(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    url = server.url("body.bin")
    scope, deadline = CancelScope(), Deadline.after(60)
    stream = ByteStream(deadline, scope, out_of_order=True)
    with with_fault(pool, AnswersFirstOnly):
        fetching = RangeFetch(
            pool.range_connections, url, stream, deadline, scope, Timeline(), await_restriction=True
        )
        assert fetching.start()
    stream.read_at(0, (COUNT - 2) * PIECE)
    stream.read_at(len(BODY) - 2 * PIECE, 2 * PIECE)
    assert wait_for(lambda: fetching.silent_s == 0)
    time.sleep(0.1)  # so long nothing was asked for
    restricted = time.monotonic()
    fetching.restrict_to(None)
    assert wait_for(lambda: fetching.silent_s > 0)
    silent_s, since_s = fetching.silent_s, time.monotonic() - restricted
    scope.cancel()
    assert fetching.join(30)
    assert silent_s <= since_s


def test_an_idle_connection_that_the_origin_closes_is_given_up_while_the_plan_is_awaited(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    url = server.url("body.bin")
    with pool.range_connections.lend(url) as (held, _):
        connections = list(held)
    with RunningDownload(pool, url, settings, sparse=True) as running:
        running.stream.read_at(0, (COUNT - 2) * PIECE)
        running.stream.read_at(len(BODY) - 2 * PIECE, 2 * PIECE)
        assert wait_for(lambda: all(connection.is_open for connection in connections))
        connections[1].socket.shutdown(socket.SHUT_RD)
        assert wait_for(lambda: not connections[1].is_open)
        running.restrict_to(None)
        assert running.body() == BODY
    assert running.fact("range_connections") == f"{COUNT - 1}/{COUNT}"


@pytest.mark.usefixtures("hanging")
def test_nothing_is_taken_over_when_all_that_is_needed_has_arrived(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    url = server.url("body.bin")
    with with_fault(pool, AnswersFirstOnly), RunningDownload(pool, url, settings) as running:
        assert running.stream.read_at(0, (COUNT - 2) * PIECE) == BODY[: (COUNT - 2) * PIECE]
        running.restrict_to([ByteSpan(0, PIECE)])
        assert wait_for(lambda: running.fact("range_connections") is not None)
    asked = [request.range or "whole" for request in server.requests() if request.method == "GET"]
    for span in asked:
        first, _, last = span.removeprefix("bytes=").partition("-")
        assert span != "whole"
        assert not (first and last) or int(first) <= int(last)
    with pool.range_connections.lend(url) as (lent, _):
        assert not lent  # all hang; refused ones would not be opened again
    pool.warmup(server.base_url)
    with pool.range_connections.lend(url) as (lent, _):
        assert len(lent) == COUNT


@pytest.mark.usefixtures("hanging")
def test_an_error_that_nobody_expects_reaches_the_readers(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(pool, "open", fails)
    with (
        with_fault(pool, MuteConnection),
        RunningDownload(pool, server.url("body.bin"), settings) as running,
        pytest.raises(RuntimeError, match="a mistake"),
    ):
        running.body()


def test_what_waits_for_requests_ends_at_the_deadline(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with RunningDownload(pool, server.url("body.bin"), settings, seconds=5, sparse=True) as running:
        running.restrict_to([ByteSpan(0, PIECE)])
        assert running.stream.read_at(0, PIECE) == BODY[:PIECE]
        assert wait_for(lambda: running.ended)
