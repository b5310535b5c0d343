"""The pool and the byte stream against a real TLS + HTTP/2 origin, with every fault."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

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
from tests.support.downloads import RunningDownload, fetch, loopback_settings
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration

BODY = bytes(range(256)) * 16_384  # 4 MiB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "body.bin").write_bytes(BODY)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[DemoOrigin]:
    with DemoOrigin(folder) as origin:
        yield origin


@pytest.fixture
def settings(server: DemoOrigin) -> Settings:
    return loopback_settings(server)


@pytest.fixture
def pool(settings: Settings) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(settings)
    yield pool
    pool.close()


# -- connections --------------------------------------------------------------------------------------------


def test_body_arrives_over_http2_and_the_second_reuses_the_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    with RunningDownload(pool, server.url("body.bin"), settings) as second:
        assert second.body() == BODY
    assert second.fact("protocol") == "HTTP/2"
    assert second.fact("new_connection") is False
    assert server.stats().handshakes == 1
    health = pool.health()
    assert (health.opened, health.requests, health.reused) == (1, 2, 1)
    assert [connection.protocol for connection in health.connections] == ["HTTP/2"]


@pytest.mark.parametrize("http2", [True, False])
def test_warmup_makes_the_first_download_reuse(folder: Path, http2: bool) -> None:
    with DemoOrigin(folder, http2=http2) as server:
        settings = loopback_settings(server)
        pool = ConnectionPool(settings)
        pool.warmup(server.base_url)
        assert pool.health().last_warm_s is not None
        with RunningDownload(pool, server.url("body.bin"), settings) as running:
            assert running.body() == BODY
        assert running.fact("new_connection") is False
        assert server.stats().handshakes == 1
        pool.close()


def test_many_abandoned_bodies_leave_the_connection_usable(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    # each abandons megabytes in flight, which count against the connection's window until they are given up
    for _ in range(12):
        with RunningDownload(pool, server.url("body.bin", rate=20_000_000), settings) as abandoned:
            abandoned.stream.read_at(0, 1000)
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    assert server.stats().handshakes == 1


def test_connections_that_died_while_idle_cost_one_retry(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    server.drop_connections()
    with RunningDownload(pool, server.url("body.bin"), settings) as running:
        assert running.body() == BODY
    assert running.fact("new_connection") is True
    assert server.stats().handshakes == 2


def test_a_reused_connection_that_gives_no_answer_is_left_for_a_fresh_one(server: DemoOrigin) -> None:
    settings = loopback_settings(server, reuse_probe_s=0.2)
    pool = ConnectionPool(settings)
    pool.warmup(server.base_url)
    with RunningDownload(pool, server.url("body.bin", delay=4.0), settings) as running:
        assert running.body() == BODY
    assert running.fact("new_connection") is True
    assert server.stats().handshakes == 2
    pool.close()


def test_keep_warm_outlives_the_idle_timeout_of_the_origin(folder: Path) -> None:
    with DemoOrigin(folder, keep_alive_s=3.0) as origin:
        settings = loopback_settings(origin)
        pool = ConnectionPool(settings)
        keeper = KeepWarm(pool, [origin.base_url], 0.1, busy=lambda: False)
        keeper.start()
        try:
            threading.Event().wait(4.0)  # longer than the idle time-out nothing but the keeper
            with RunningDownload(pool, origin.url("body.bin"), settings) as running:
                assert running.body() == BODY
            assert running.fact("new_connection") is False
            assert origin.stats().handshakes == 1
        finally:
            keeper.stop()
            pool.close()


def test_keep_warm_stays_away_from_a_challenge(server: DemoOrigin, pool: ConnectionPool) -> None:
    assert KeepWarm(pool, [server.base_url], 60, busy=lambda: True).touch_all() == {}
    assert KeepWarm(pool, [server.base_url], 60, busy=lambda: False).touch_all() == {server.base_url: None}


def test_pool_of_the_process_is_one_and_a_forked_child_has_its_own() -> None:
    # in a process without threads: forking one that has some is not safe
    code = (
        "import os\n"
        "from services.download.pool import close_pool, get_pool\n"
        "mine = get_pool()\n"
        "assert get_pool() is mine\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if get_pool() is not mine else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "close_pool()\n"
        "assert get_pool() is not mine\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- reading ------------------------------------------------------------------------------------------------


def test_tail_is_fetched_out_of_order_on_the_same_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    with RunningDownload(pool, server.url("body.bin", rate=100_000), settings) as running:
        assert running.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
        assert not running.stream.missing().is_empty, "the front part was waited for"
        assert running.stream.read_at(0, 5000) == BODY[:5000]
    assert running.fact("out_of_order_reads") == 1
    assert server.stats().handshakes == 1


@pytest.mark.parametrize("fault", [{"no_range": 1}, {"no_length": 1}, {"no_range": 1, "no_length": 1}])
def test_origins_without_ranges_or_length_still_work(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings, fault: dict[str, object]
) -> None:
    with RunningDownload(pool, server.url("body.bin", **fault), settings) as running:
        assert running.stream.read_at(len(BODY) - 10, 10) == BODY[-10:]
        assert running.body() == BODY


def test_body_that_breaks_off_is_continued_where_it_stopped(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    # every response of this path is reset after 3 MB, and what the origin had not sent yet is lost
    with RunningDownload(pool, server.url("body.bin", reset_after=3_000_000), settings) as running:
        assert running.body() == BODY
    assert running.fact("resumes") >= 1


def test_partial_download_asks_for_the_first_megabytes_only(server: DemoOrigin, pool: ConnectionPool) -> None:
    partial = loopback_settings(server, partial_download=True, partial_download_mb=1)
    assert fetch(pool, server.url("body.bin"), partial) == BODY[:1_000_000]


@pytest.mark.parametrize("tls", [True, False])
def test_origins_without_http2_work_and_a_cancel_ends_a_blocked_read(folder: Path, tls: bool) -> None:
    with DemoOrigin(folder, http2=False, tls=tls) as origin:
        own = {"ca_file": str(origin.ca_file)} if tls else {"ca_file": None}
        settings = loopback_settings(origin, allow_http=True, **own)
        pool = ConnectionPool(settings)

        with RunningDownload(pool, origin.url("body.bin"), settings) as running:
            assert running.body() == BODY
        assert running.fact("protocol") == "HTTP/1.1"
        with RunningDownload(pool, origin.url("body.bin", rate=2_000_000), settings) as slow:
            assert slow.stream.read_at(len(BODY) - 1000, 1000) == BODY[-1000:]
        with RunningDownload(pool, origin.url("body.bin", stall_after=100_000), settings) as silent:
            assert len(silent.stream.read_at(0, 100_000)) == 100_000

        assert fetch(pool, origin.url("body.bin"), settings) == BODY
        pool.close()


# -- ends ---------------------------------------------------------------------------------------------------


def test_cancel_ends_a_blocked_read_without_a_new_connection(
    server: DemoOrigin, pool: ConnectionPool, settings: Settings
) -> None:
    reader_errors: list[BaseException] = []
    with RunningDownload(pool, server.url("body.bin", stall_after=100_000), settings) as silent:
        assert len(silent.stream.read_at(0, 50_000)) == 50_000

        def read() -> None:
            try:
                silent.stream.read_at(0, len(BODY))
            except ChallengeError as error:
                reader_errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
    reader.join(10)
    assert [type(error) for error in reader_errors] == [Cancelled]
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    assert server.stats().handshakes == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 404}, SourceRejected),
        ({"status": 403}, SourceRejected),
        ({"status": 501}, SourceRejected),
        ({"stall_after": 100_000}, StreamStalled),
        ({"cut_after": 100_000}, StreamStalled),
    ],
    ids=str,
)
def test_faults_become_typed_errors_and_the_next_download_works(
    server: DemoOrigin, fault: dict[str, object], error: type[ChallengeError]
) -> None:
    settings = loopback_settings(server, **({"stall_timeout_s": 2.0} if "stall_after" in fault else {}))
    pool = ConnectionPool(settings)
    with pytest.raises(error):
        fetch(pool, server.url("body.bin", **fault), settings)
    assert fetch(pool, server.url("body.bin"), settings) == BODY
    pool.close()


def test_deadline_ends_a_slow_body(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    with pytest.raises((DeadlineExceeded, StreamStalled)):
        fetch(pool, server.url("body.bin", rate=50_000), settings, seconds=2.0)


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


@pytest.mark.parametrize("fault", [{}, {"no_length": 1}], ids=str)
def test_a_body_above_the_limit_is_refused(
    server: DemoOrigin, pool: ConnectionPool, fault: dict[str, object]
) -> None:
    with pytest.raises(TooLarge):
        fetch(pool, server.url("body.bin", **fault), loopback_settings(server, max_video_mb=1))


def test_redirects_pass_the_guard(server: DemoOrigin, pool: ConnectionPool, settings: Settings) -> None:
    good = server.url("body.bin", redirect=server.url("body.bin"))
    assert fetch(pool, good, settings) == BODY
    with pytest.raises(UrlRefused):
        fetch(pool, server.url("body.bin", redirect="http://127.0.0.1/x"), settings)


def test_private_addresses_are_refused_at_connect(server: DemoOrigin) -> None:
    strict = load_settings(ca_file=str(server.ca_file))
    pool = ConnectionPool(strict)
    with pytest.raises(UrlRefused, match="ALLOW_PRIVATE_ADDRESSES"):
        fetch(pool, "https://localhost/body.bin", strict)
    pool.close()


def test_the_timeline_splits_connecting_and_counts_redirects(origin: DemoOrigin, clip_url: str) -> None:
    settings = loopback_settings(origin)
    pool = ConnectionPool(settings)
    try:
        with RunningDownload(pool, origin.url("elsewhere", redirect=clip_url), settings) as running:
            running.body()
            cold = running.timeline.to_dict()
        with RunningDownload(pool, clip_url, settings) as running:
            running.body()
            warm = running.timeline.to_dict()
    finally:
        pool.close()
    stages = cold["stages"]
    assert stages["redirect"]["busy"] > 0
    assert cold["facts"]["redirects"] == 1
    assert all(warm["stages"][stage]["busy"] == 0 for stage in ("connect", "dns", "tcp", "tls"))
    assert 0 < warm["stages"]["request"]["busy"] <= warm["stages"]["first_byte"]["busy"]
