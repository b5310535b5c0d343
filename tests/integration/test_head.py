"""The first bytes over several lines, against a real TLS origin, with every fault of one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cancel import CancelScope
from services.deadline import Deadline
from services.demo.origin import DemoOrigin
from services.demo.origin_faults import Fault
from services.download.fetch import Download
from services.download.head import PIECE
from services.download.pool import ConnectionPool
from services.settings import Settings, load_settings
from services.timeline import Timeline

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
    return load_settings(
        ca_file=str(server.ca_file),
        allow_private_addresses=True,
        stall_timeout_s=3.0,
        head_connections=COUNT,
        head_min_rtt_ms=0,
    )


@pytest.fixture
def pool(server: DemoOrigin, settings: Settings) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(settings)
    pool.warmup(server.base_url)
    yield pool
    pool.close()


def fetch_again(pool: ConnectionPool, url: str, settings: Settings) -> tuple[bytes, Timeline]:
    """As an origin that begins slowly, whatever the loopback did before."""
    pool.lines.learn(url, 60.0)
    return fetch(pool, url, settings)


def fetch(pool: ConnectionPool, url: str, settings: Settings) -> tuple[bytes, Timeline]:
    scope, timeline = CancelScope(), Timeline()
    download = Download(pool, url, settings, Deadline.after(20), scope, timeline)
    try:
        stream = download.start()
        stream.wait_complete()
        return stream.read_at(0, len(BODY) * 2), timeline
    finally:
        scope.cancel()
        assert download.join(10), "a thread was left behind"


def test_head_and_end_come_in_pieces_and_the_body_from_behind_them(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    body, timeline = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert timeline.fact("head_pieces") == f"{COUNT}/{COUNT}"
    ranges = {request.range for request in server.requests() if request.method == "GET"}
    front = (COUNT - 2) * PIECE
    assert {f"bytes=0-{PIECE - 1}", f"bytes=-{PIECE}", f"bytes=-{2 * PIECE}", f"bytes={front}-"} <= ranges
    assert server.stats().handshakes == COUNT + 1
    again, timeline = fetch_again(pool, server.url("body.bin"), settings)
    assert again == BODY
    assert timeline.fact("head_pieces") == f"{COUNT}/{COUNT}"
    assert server.stats().handshakes == COUNT + 1


def test_the_index_at_the_end_needs_no_request_of_its_own(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    scope, timeline = CancelScope(), Timeline()
    url = server.url("body.bin")
    download = Download(pool, url, settings, Deadline.after(20), scope, timeline)
    stream = download.start()
    assert stream.read_at(len(BODY) - 20_000, 20_000) == BODY[-20_000:]
    scope.cancel()
    assert download.join(10)
    assert timeline.fact("jumps") is None


def test_a_file_shorter_than_its_head(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    body, timeline = fetch(pool, server.url("small.bin"), settings)
    assert body == SMALL
    assert timeline.fact("head_pieces") == f"{COUNT}/{COUNT}"


def test_lines_that_died_while_idle_are_made_up_for_and_opened_again(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    server.drop_connections()
    body, timeline = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert timeline.fact("head_pieces") != f"{COUNT}/{COUNT}"
    pool.warmup(server.base_url)
    body, timeline = fetch_again(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert timeline.fact("head_pieces") == f"{COUNT}/{COUNT}"


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
    body, timeline = fetch(pool, server.url("body.bin"), settings)
    assert body == wanted
    if fault.no_range or fault.redirect:
        assert timeline.fact("head_pieces") is None


def test_a_head_that_hangs_is_fetched_over_the_body_s_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    # one line is lent out: it answers never, as one whose packets are lost
    lines = pool.lines
    with lines.borrow(server.url("body.bin")) as held:
        silent = held[2]
    silent.send = lambda *_: None  # type: ignore[method-assign]
    body, timeline = fetch(pool, server.url("body.bin"), settings)
    assert body == BODY
    assert timeline.fact("jumps") >= 1


def test_a_cancel_ends_head_and_body_and_leaves_the_pool_usable(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    scope, timeline = CancelScope(), Timeline()
    url = server.url("body.bin", delay=1.0)
    download = Download(pool, url, settings, Deadline.after(20), scope, timeline)
    download.start()
    scope.cancel()
    assert download.join(10)
    assert not [t.name for t in threading.enumerate() if t.name == "touchline-head"]
    assert fetch(pool, server.url("body.bin"), settings)[0] == BODY


def test_near_origins_get_no_lines(server: DemoOrigin, settings: Settings) -> None:
    far = settings.model_copy(update={"head_min_rtt_ms": 5000.0})
    pool = ConnectionPool(far)
    pool.warmup(server.base_url)
    assert fetch(pool, server.url("body.bin"), far)[0] == BODY
    assert server.stats().handshakes == 1
    pool.close()


def test_lines_rest_where_the_body_s_own_connection_begins_quickly(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    url = server.url("body.bin")
    pool.lines.learn(url, 0.0)
    assert fetch(pool, url, settings)[1].fact("head_pieces"), "the round trip is not known yet"
    pool.warmup(server.base_url)
    pool.lines.learn(url, 0.0)
    body, timeline = fetch(pool, url, settings)
    assert body == BODY
    assert timeline.fact("head_pieces") is None
    body, timeline = fetch_again(pool, url, settings)
    assert body == BODY
    assert timeline.fact("head_pieces") == f"{COUNT}/{COUNT}"
