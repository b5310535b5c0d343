"""Downloads from nginx and from Node, as they are set up in the field, and what befalls such servers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.download.pool import ConnectionPool
from tests.support.downloads import RunningDownload, fetch, loopback_settings
from tests.support.real_origins import Nginx, NodeServer, RealOrigin

pytestmark = pytest.mark.integration
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
BODY = bytes((i * 7 + i // 251) % 256 for i in range(2_000_000))
SLOW = "limit_rate_after 300k; limit_rate 500k;"
"""nginx's pace for one response; the body takes 3.5 s."""
TAIL = 1000


@contextmanager
def pool_of(origin: RealOrigin) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(loopback_settings(origin))
    try:
        yield pool
    finally:
        pool.close()


def read_end_first(pool: ConnectionPool, origin: RealOrigin) -> None:
    """As for a clip whose index is last: the end is needed before the body has come so far."""
    with RunningDownload(pool, origin.url, loopback_settings(origin)) as running:
        assert running.stream.read_at(len(BODY) - TAIL, TAIL) == BODY[-TAIL:]
        assert running.body() == BODY


@needs_nginx
@pytest.mark.parametrize(
    "directives",
    [
        pytest.param("", id="as it comes"),
        pytest.param("http2_max_concurrent_streams 1;", id="one stream at a time"),
        pytest.param("keepalive_requests 1;", id="GOAWAY after each request"),
        pytest.param("max_ranges 0;", id="200 to a range"),
        pytest.param("gzip on; gzip_types video/mp4; gzip_min_length 1;", id="compresses what may be"),
        pytest.param("http2_chunk_size 1k;", id="small frames"),
        pytest.param(SLOW, id="slow"),
    ],
)
def test_the_whole_file_comes_from_nginx_and_comes_again(tmp_path: Path, directives: str) -> None:
    with Nginx(tmp_path, BODY, directives) as origin, pool_of(origin) as pool:
        read_end_first(pool, origin)
        read_end_first(pool, origin)


@needs_nginx
def test_nginx_may_speak_http_1_only(tmp_path: Path) -> None:
    with Nginx(tmp_path, BODY, http2=False) as origin, pool_of(origin) as pool:
        read_end_first(pool, origin)


@needs_nginx
def test_a_connection_that_nginx_closed_while_it_was_idle_costs_nothing(tmp_path: Path) -> None:
    with Nginx(tmp_path, BODY, "keepalive_timeout 1s;") as origin, pool_of(origin) as pool:
        assert fetch(pool, origin.url, loopback_settings(origin)) == BODY
        time.sleep(1.5)  # the pool learns only from the next use that nginx has closed it
        assert fetch(pool, origin.url, loopback_settings(origin)) == BODY


@needs_nginx
def test_a_request_that_nginx_refuses_for_being_too_many_is_asked_again(tmp_path: Path) -> None:
    limited = "limit_req zone=each; limit_req_status 429;"
    zone = "limit_req_zone $binary_remote_addr zone=each:1m rate=15r/m;"
    with Nginx(tmp_path, BODY, limited, shared=zone) as origin, pool_of(origin) as pool:
        assert fetch(pool, origin.url, loopback_settings(origin)) == BODY
        with RunningDownload(pool, origin.url, loopback_settings(origin)) as running:
            assert running.body() == BODY
        assert running.fact("refusals") >= 1


@needs_nginx
def test_a_reload_in_mid_body_costs_nothing(tmp_path: Path) -> None:
    with Nginx(tmp_path, BODY, SLOW) as origin, pool_of(origin) as pool:
        with RunningDownload(pool, origin.url, loopback_settings(origin)) as running:
            running.stream.read_at(300_000, TAIL)
            origin.reload()
            assert running.body() == BODY
        assert fetch(pool, origin.url, loopback_settings(origin)) == BODY


@needs_nginx
def test_a_body_goes_on_after_nginx_was_killed_and_started(tmp_path: Path) -> None:
    with (
        Nginx(tmp_path, BODY, SLOW) as origin,
        pool_of(origin) as pool,
        RunningDownload(pool, origin.url, loopback_settings(origin)) as running,
    ):
        running.stream.read_at(300_000, TAIL)
        origin.kill_and_start()
        assert running.body() == BODY
        assert running.fact("resumes") >= 1


@needs_node
def test_the_whole_file_comes_from_node_which_states_no_limit_of_streams(tmp_path: Path) -> None:
    with NodeServer(tmp_path, BODY) as origin, pool_of(origin) as pool:
        read_end_first(pool, origin)
        read_end_first(pool, origin)
