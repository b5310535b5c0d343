"""Downloading through an HTTP proxy, which alone can resolve the name of the origin."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from services.cli.doctor_checks import origins
from services.download.pool import ConnectionPool
from services.errors import ConnectFailed, UrlRefused
from tests.support.downloads import fetch, loopback_settings
from tests.support.scripted_origins import Http1Origin, file_response

pytestmark = pytest.mark.integration

BODY = bytes(range(256)) * 2000


class ConnectProxy:
    """Opens tunnels to ports of the loopback, whatever the name; refuses with `status` if that is not 200."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:secret@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = client.recv(4096).decode()
            target = head.split(" ")[1]
            self.asked.append(target)
            if self.status != 200 or "Basic bWU6c2VjcmV0" not in head:
                client.sendall(f"HTTP/1.1 {self.status} X\r\n\r\n".encode())
                return
            with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as behind:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=_pump, args=(behind, client), daemon=True).start()
                _pump(client, behind)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    proxy = ConnectProxy()
    yield proxy
    proxy.close()


@pytest.fixture
def origin() -> Iterator[Http1Origin]:
    with Http1Origin(lambda conn, request: conn.sendall(file_response(BODY, request)) is None) as origin:
        yield origin


@pytest.mark.parametrize("range_connections", [0, 4])
def test_all_connections_go_through_the_proxy(
    origin: Http1Origin, proxy: ConnectProxy, range_connections: int
) -> None:
    settings = loopback_settings(
        origin,
        use_proxy=True,
        https_proxy=proxy.url,
        range_connections=range_connections,
        range_min_rtt_ms=0,
    )
    pool = ConnectionPool(settings)
    url = f"https://clips.test:{origin.port}/clip.mp4"
    pool.refresh_dns(url)
    pool.warmup(url)
    assert fetch(pool, url, settings) == BODY
    assert set(proxy.asked) == {f"clips.test:{origin.port}"}
    assert len(proxy.asked) == origin.connections == range_connections + 1
    pool.close()


def test_a_proxy_that_refuses_is_named(origin: Http1Origin, proxy: ConnectProxy) -> None:
    proxy.status = 407
    settings = loopback_settings(origin, use_proxy=True, https_proxy=proxy.url)
    pool = ConnectionPool(settings)
    with pytest.raises(ConnectFailed, match=r"proxy 127\.0\.0\.1 answered 407"):
        fetch(pool, f"https://clips.test:{origin.port}/clip.mp4", settings)
    pool.close()


def test_the_guard_holds_behind_a_proxy(origin: Http1Origin, proxy: ConnectProxy) -> None:
    settings = loopback_settings(origin, use_proxy=True, https_proxy=proxy.url, allow_private_addresses=False)
    pool = ConnectionPool(settings)
    for host in ("localhost", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(UrlRefused, match="ALLOW_PRIVATE_ADDRESSES"):
            fetch(pool, f"https://{host}/clip.mp4", settings)
    assert proxy.asked == []
    pool.close()


def test_an_error_and_doctor_say_that_a_proxy_is_not_used(origin: Http1Origin) -> None:
    settings = loopback_settings(
        origin, https_proxy="http://me:secret@127.0.0.1:9", origins=("https://nowhere.invalid/",)
    )
    pool = ConnectionPool(settings)
    with pytest.raises(ConnectFailed, match="HTTPS_PROXY"):
        fetch(pool, "https://nowhere.invalid/clip.mp4", settings)
    pool.close()

    findings = {finding.name: finding for finding in origins(settings)}

    assert "USE_PROXY=1" in findings["proxy"].detail
    assert "secret" not in findings["proxy"].detail
