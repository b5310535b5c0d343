"""The pool and the byte stream against a real TLS + HTTP/2 origin, with every fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.download import Download
from services.download.keep_warm import KeepWarm
from services.download.pool import ConnectionPool
from services.errors import (
    Cancelled,
    ChallengeError,
    ConnectFailed,
    DeadlineExceeded,
    SourceRejected,
    StreamStalled,
    TooLarge,
    UrlRefused,
)
from services.settings import Settings, load_settings
from services.timeline import Timeline
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration

BODY = bytes(range(256)) * 16_384  # 4 MiB
LIMIT_S = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "body.bin").write_bytes(BODY)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[DemoOrigin]:
    with DemoOrigin(folder) as origin:
        yield origin


def make_settings(origin: DemoOrigin, **overrides: object) -> Settings:
    values = {"ca_file": str(origin.ca_file), "allow_private_addresses": True, "stall_timeout_s": 2.0}
    values["range_connections"] = 0  # tests/integration/test_ranges.py
    return load_settings(**(values | overrides))


@pytest.fixture
def settings(server: DemoOrigin) -> Settings:
    return make_settings(server)


@pytest.fixture
def pool(settings: Settings) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(settings)
    yield pool
    pool.close()


class Fetched:
    """A download that was started, with everything that belongs to it."""

    def __init__(self, pool: ConnectionPool, url: str, settings: Settings, seconds: float = LIMIT_S) -> None:
        self.scope = CancelScope()
        self.timeline = Timeline()
        self.download = Download(pool, url, settings, Deadline.after(seconds), self.scope, self.timeline)
        self.stream = self.download.start()

    def body(self) -> bytes:
        self.stream.wait_complete()
        return self.stream.read_at(0, len(BODY) * 2)

    def end(self) -> None:
        self.scope.cancel()
        assert self.download.join(10), "a download thread was left behind"


def fetch(pool: ConnectionPool, url: str, settings: Settings, seconds: float = LIMIT_S) -> bytes:
    fetched = Fetched(pool, url, settings, seconds)
    try:
        return fetched.body()
    finally:
        fetched.end()


def test_body_arrives_over_http2_and_the_second_reuses_the_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    opened = server.stats().handshakes
    second = Fetched(pool, server.url("body.bin"), settings)
    assert second.body() == BODY
    second.end()
    assert second.timeline.to_dict()["facts"].get("protocol") == "HTTP/2"
    assert second.timeline.to_dict()["facts"].get("new_connection") is False
    assert server.stats().handshakes == opened == 1
    health = pool.health()
    assert (health.opened, health.requests, health.reused) == (1, 2, 1)
    assert [c.protocol for c in health.connections] == ["HTTP/2"]


def test_warmup_makes_the_first_download_reuse(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    pool.warmup(server.base_url)
    assert pool.health().last_warm_s is not None
    fetched = Fetched(pool, server.url("body.bin"), settings)
    assert fetched.body() == BODY
    fetched.end()
    assert fetched.timeline.to_dict()["facts"].get("new_connection") is False
    assert server.stats().handshakes == 1


def test_many_abandoned_bodies_leave_the_connection_usable(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    # each abandons megabytes in flight: without a reset, httpcore's window is used up after a few
    for _ in range(12):
        fetched = Fetched(pool, server.url("body.bin", rate=20_000_000), settings)
        fetched.stream.read_at(0, 1000)
        fetched.end()
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    assert server.stats().handshakes == 1


def test_cancel_ends_a_blocked_read_without_a_new_connection(
    server: DemoOrigin, pool: ConnectionPool
) -> None:
    patient = make_settings(server, stall_timeout_s=60.0)
    fetched = Fetched(pool, server.url("body.bin", stall_after=100_000), patient)
    assert len(fetched.stream.read_at(0, 50_000)) == 50_000
    reader_error: list[BaseException] = []

    def read() -> None:
        try:
            fetched.stream.read_at(0, len(BODY))
        except ChallengeError as error:
            reader_error.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    fetched.end()
    reader.join(10)
    assert [type(e) for e in reader_error] == [Cancelled]
    assert fetch(pool, server.url("body.bin"), patient) == BODY
    assert server.stats().handshakes == 1


def test_tail_is_fetched_out_of_order_on_the_same_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    fetched = Fetched(pool, server.url("body.bin", rate=2_000_000), settings)
    assert fetched.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
    assert not fetched.stream.missing().is_empty, "the front part was waited for"
    assert fetched.stream.read_at(0, 5000) == BODY[:5000]
    fetched.end()
    assert fetched.timeline.to_dict()["facts"].get("out_of_order_reads") == 1
    assert server.stats().handshakes == 1


@pytest.mark.parametrize("fault", [{"no_range": 1}, {"no_length": 1}, {"no_range": 1, "no_length": 1}])
def test_origins_without_ranges_or_length_still_work(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, fault: dict[str, object]
) -> None:
    fetched = Fetched(pool, server.url("body.bin", **fault), settings)
    assert fetched.stream.read_at(len(BODY) - 10, 10) == BODY[-10:]
    assert fetched.body() == BODY
    fetched.end()


def test_body_that_breaks_off_is_continued_where_it_stopped(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    # every response of this path is reset after 3 MB, and what the origin had not sent yet is lost
    fetched = Fetched(pool, server.url("body.bin", reset_after=3_000_000), settings)
    assert fetched.body() == BODY
    fetched.end()
    assert fetched.timeline.to_dict()["facts"].get("resumes") >= 1


def test_connections_that_died_while_idle_cost_one_retry(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    server.drop_connections()
    fetched = Fetched(pool, server.url("body.bin"), settings)
    assert fetched.body() == BODY
    fetched.end()
    assert fetched.timeline.to_dict()["facts"].get("new_connection") is True
    assert server.stats().handshakes == 2


def test_keep_warm_outlives_the_idle_timeout_of_the_origin(folder: Path) -> None:
    with DemoOrigin(folder, keep_alive_s=1.0) as origin:
        settings = make_settings(origin)
        pool = ConnectionPool(settings)
        keeper = KeepWarm(pool, [origin.base_url], 0.25, busy=lambda: False)
        keeper.start()
        try:
            end = time.monotonic() + 3.0
            while time.monotonic() < end:  # three idle time-outs long nothing but the keeper
                time.sleep(0.1)
            fetched = Fetched(pool, origin.url("body.bin"), settings)
            assert fetched.body() == BODY
            fetched.end()
            assert fetched.timeline.to_dict()["facts"].get("new_connection") is False
            assert origin.stats().handshakes == 1
        finally:
            keeper.stop()
            pool.close()


def test_keep_warm_stays_away_from_a_challenge(server: DemoOrigin, pool: ConnectionPool) -> None:
    assert KeepWarm(pool, [server.base_url], 60, busy=lambda: True).touch_all() == {}
    assert KeepWarm(pool, [server.base_url], 60, busy=lambda: False).touch_all() == {server.base_url: None}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 404}, SourceRejected),
        ({"status": 403}, SourceRejected),
        ({"status": 501}, SourceRejected),
        ({"stall_after": 100_000}, StreamStalled),
        ({"cut_after": 100_000}, StreamStalled),
    ],
)
def test_faults_become_typed_errors(
    server: DemoOrigin,
    pool: ConnectionPool,
    settings: Settings,
    fault: dict[str, object],
    error: type[ChallengeError],
) -> None:
    with pytest.raises(error):
        fetch(pool, server.url("body.bin", **fault), settings)
    assert fetch(pool, server.url("body.bin"), settings) == BODY


def test_deadline_ends_a_slow_body(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    with pytest.raises((DeadlineExceeded, StreamStalled)):
        fetch(pool, server.url("body.bin", rate=50_000), settings, seconds=1.0)


def test_unreachable_origin(pool: ConnectionPool, settings: Settings) -> None:
    with pytest.raises(ConnectFailed, match="reached"):
        fetch(pool, "https://127.0.0.1:9/x.mp4", settings)
    with pytest.raises(ConnectFailed, match="resolve"):
        fetch(pool, "https://nowhere.invalid/x.mp4", settings)


def test_untrusted_certificate(server: DemoOrigin) -> None:
    settings = load_settings(allow_private_addresses=True)
    pool = ConnectionPool(settings)
    with pytest.raises(ConnectFailed, match="certificate"):
        fetch(pool, server.url("body.bin"), settings)
    pool.close()


def test_size_limit(server: DemoOrigin, pool: ConnectionPool) -> None:
    small = make_settings(server, max_video_mb=1)
    for fault in ({}, {"no_length": 1}):
        with pytest.raises(TooLarge):
            fetch(pool, server.url("body.bin", **fault), small)


def test_redirects_pass_the_guard(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    good = server.url("body.bin", redirect=server.url("body.bin"))
    assert fetch(pool, good, settings) == BODY
    with pytest.raises(UrlRefused):
        fetch(pool, server.url("body.bin", redirect="http://127.0.0.1/x"), settings)
    loop = server.url("body.bin", redirect=server.url("body.bin", redirect="/body.bin?redirect=/body.bin"))
    assert fetch(pool, loop.replace("redirect=", "x=", 1), settings) == BODY


def test_private_addresses_are_refused_at_connect(server: DemoOrigin) -> None:
    strict = load_settings(ca_file=str(server.ca_file))
    pool = ConnectionPool(strict)
    with pytest.raises(UrlRefused, match="ALLOW_PRIVATE_ADDRESSES"):
        fetch(pool, "https://localhost/body.bin", strict)
    pool.close()


def test_partial_download_asks_for_the_first_megabytes_only(server: DemoOrigin, pool: ConnectionPool) -> None:
    partial = make_settings(server, partial_download=True, partial_download_mb=1)
    assert fetch(pool, server.url("body.bin"), partial) == BODY[:1_000_000]


@pytest.mark.parametrize("tls", [True, False])
def test_origins_without_http2_work_and_a_cancel_ends_a_blocked_read(folder: Path, tls: bool) -> None:
    with DemoOrigin(folder, http2=False, tls=tls) as origin:
        values: dict[str, object] = {
            "allow_private_addresses": True,
            "allow_http": True,
            "stall_timeout_s": 60.0,
        }
        settings = load_settings(**(values | ({"ca_file": str(origin.ca_file)} if tls else {})))
        pool = ConnectionPool(settings)
        fetched = Fetched(pool, origin.url("body.bin"), settings)
        assert fetched.body() == BODY
        assert fetched.timeline.to_dict()["facts"].get("protocol") == "HTTP/1.1"
        fetched.end()
        far = Fetched(pool, origin.url("body.bin", rate=2_000_000), settings)
        assert far.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
        far.end()
        silent = Fetched(pool, origin.url("body.bin", stall_after=100_000), settings)
        assert len(silent.stream.read_at(0, 100_000)) == 100_000
        silent.end()
        assert fetch(pool, origin.url("body.bin"), settings) == BODY
        pool.close()


def test_a_reused_connection_that_gives_no_answer_is_left_for_a_fresh_one(server: DemoOrigin) -> None:
    settings = make_settings(server, reuse_probe_s=0.2, stall_timeout_s=20.0)
    pool = ConnectionPool(settings)
    pool.warmup(server.base_url)
    fetched = Fetched(pool, server.url("body.bin", delay=1.0), settings)
    assert fetched.body() == BODY
    fetched.end()
    assert fetched.timeline.to_dict()["facts"].get("new_connection") is True
    assert server.stats().handshakes == 2
    pool.close()


def test_pool_of_the_process_is_one_and_a_forked_child_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.download import pool as module

    monkeypatch.setattr(module, "_pools", {})
    mine = module.get_pool()
    assert module.get_pool() is mine
    monkeypatch.setattr(module.os, "getpid", lambda: -1)
    assert module.get_pool() is not mine
    module.close_pool()
    monkeypatch.undo()
    mine.close()
