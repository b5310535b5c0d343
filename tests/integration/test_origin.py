"""The demo origin, seen by real HTTP clients."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpcore
import httpx
import pytest

from tests.support.processes import wait_for
from touchline_lab.demo_origin.server import DemoOrigin, Fault, SetupDelays

pytestmark = pytest.mark.integration
SIZE = 700_001


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    content = bytes(i * 31 % 251 for i in range(SIZE))
    (tmp_path / "clip.mp4").write_bytes(content)
    (tmp_path / "empty.mp4").write_bytes(b"")
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[DemoOrigin]:
    with DemoOrigin(folder) as origin:
        yield origin


def client_of(origin: DemoOrigin, http2: bool = True) -> httpx.Client:
    return httpx.Client(
        http2=http2, verify=ssl.create_default_context(cafile=str(origin.ca_file)), timeout=60
    )


def test_a_file_comes_whole_over_http2(served: DemoOrigin, folder: Path) -> None:
    with client_of(served) as client:
        response = client.get(served.url("clip.mp4"))
    assert response.status_code == 200
    assert response.http_version == "HTTP/2"
    assert response.content == (folder / "clip.mp4").read_bytes()
    assert response.headers["content-length"] == str(SIZE)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-type"] == "video/mp4"


def test_an_unknown_authority_is_not_trusted(served: DemoOrigin) -> None:
    with httpx.Client() as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get(served.url("clip.mp4"))


def test_head_has_the_length_and_no_body(served: DemoOrigin) -> None:
    with client_of(served) as client:
        response = client.head(served.url("clip.mp4"))
    assert response.headers["content-length"] == str(SIZE)
    assert response.content == b""


@pytest.mark.parametrize(
    ("wanted", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=699000-", 699_000, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        ("bytes=699000-99999999", 699_000, SIZE),
        ("bytes=-99999999", 0, SIZE),
    ],
)
def test_ranges(served: DemoOrigin, folder: Path, wanted: str, first: int, stop: int) -> None:
    with client_of(served) as client:
        response = client.get(served.url("clip.mp4"), headers={"range": wanted})
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {first}-{stop - 1}/{SIZE}"
    assert response.content == (folder / "clip.mp4").read_bytes()[first:stop]


def test_a_range_past_the_end_is_416(served: DemoOrigin) -> None:
    with client_of(served) as client:
        response = client.get(served.url("clip.mp4"), headers={"range": f"bytes={SIZE}-"})
        empty = client.get(served.url("empty.mp4"), headers={"range": "bytes=0-10"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert empty.status_code == 416


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=1-2,4-5", "bytes=-", "lines=1-2"])
def test_a_range_that_is_not_understood_is_ignored(served: DemoOrigin, wanted: str) -> None:
    with client_of(served) as client:
        response = client.get(served.url("clip.mp4"), headers={"range": wanted})
    assert (response.status_code, len(response.content)) == (200, SIZE)


def test_nothing_outside_the_folder_is_served(served: DemoOrigin, folder: Path) -> None:
    secret = folder.parent / "secret.txt"
    secret.write_text("secret")
    with client_of(served) as client:
        response = client.get(served.base_url + "%2e%2e/secret.txt")
        missing = client.get(served.url("nothing.mp4"))
    assert (response.status_code, missing.status_code) == (404, 404)


def test_status_and_redirect_faults(served: DemoOrigin) -> None:
    with client_of(served) as client:
        forbidden = client.get(served.url("clip.mp4", status=403))
        moved = client.get(served.url("old.mp4", redirect=served.url("clip.mp4")))
        followed = client.get(served.url("old.mp4", redirect=served.url("clip.mp4")), follow_redirects=True)
    assert forbidden.status_code == 403
    assert (moved.status_code, moved.headers["location"]) == (302, served.url("clip.mp4"))
    assert len(followed.content) == SIZE


def test_no_range_and_no_length_faults(served: DemoOrigin) -> None:
    with client_of(served) as client:
        response = client.get(
            served.url("clip.mp4", no_range=True, no_length=True), headers={"range": "bytes=0-9"}
        )
    assert (response.status_code, len(response.content)) == (200, SIZE)
    assert "accept-ranges" not in response.headers
    assert "content-length" not in response.headers


def test_a_fault_of_a_path_holds_until_it_is_taken_away(served: DemoOrigin) -> None:
    served.set_fault("clip.mp4", Fault(status=503))
    with client_of(served) as client:
        first = client.get(served.url("clip.mp4"))
        served.set_fault("clip.mp4", None)
        second = client.get(served.url("clip.mp4"))
    assert (first.status_code, second.status_code) == (503, 200)


def read_body(client: httpx.Client, url: str, got: list[int], silence_s: float = 60.0) -> None:
    """Read a body and note the sizes of what came, whatever its end is."""
    with client.stream("GET", url, timeout=httpx.Timeout(60, read=silence_s)) as response:
        got.extend(len(chunk) for chunk in response.iter_raw())


def test_a_reset_stream_leaves_the_connection_usable(served: DemoOrigin) -> None:
    got: list[int] = []
    with client_of(served) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            read_body(client, served.url("clip.mp4", reset_after=100_000), got)
        again = client.get(served.url("clip.mp4"))
    assert sum(got) == 100_000
    assert len(again.content) == SIZE
    assert served.stats().connections == 1


@pytest.mark.parametrize("http2", [True, False])
def test_a_cut_connection_is_gone(served: DemoOrigin, http2: bool) -> None:
    got: list[int] = []
    with client_of(served, http2) as client:
        with pytest.raises(httpx.TransportError):
            read_body(client, served.url("clip.mp4", cut_after=100_000), got)
        again = client.get(served.url("clip.mp4"))
    assert sum(got) <= 100_000
    assert len(again.content) == SIZE
    assert served.stats().connections == 2


def test_a_stalled_response_is_silent_until_the_client_gives_up(served: DemoOrigin) -> None:
    got: list[int] = []
    with client_of(served) as client, pytest.raises(httpx.ReadTimeout):
        read_body(client, served.url("clip.mp4", stall_after=70_000), got, silence_s=2.0)
    assert sum(got) == 70_000


def test_stalled_responses_do_not_keep_the_origin_from_closing(folder: Path) -> None:
    # other tests' origins may be running
    before = set(threading.enumerate())
    with DemoOrigin(folder) as origin, client_of(origin) as client:
        stream = client.send(client.build_request("GET", origin.url("clip.mp4", stall_after=10)), stream=True)
        assert stream.status_code == 200
        origin.close()
        stream.close()
    started = set(threading.enumerate()) - before
    assert "touchline-origin" not in {thread.name for thread in started}


def test_requests_and_connections_are_counted(served: DemoOrigin) -> None:
    with client_of(served) as client:
        client.get(served.url("clip.mp4"))
        client.get(served.url("clip.mp4", token="abc"), headers={"range": "bytes=0-9"})
    with client_of(served, http2=False) as client:
        client.get(served.url("clip.mp4"))
    # what was sent is counted a moment later
    assert wait_for(lambda: served.stats().body_bytes == 2 * SIZE + 10)
    stats = served.stats()
    assert (stats.connections, stats.handshakes, stats.requests) == (2, 2, 3)
    seen = [(r.connection, r.http_version, r.range, r.status) for r in served.requests()]
    assert seen == [(1, "2", None, 200), (1, "2", "bytes=0-9", 206), (2, "1.1", None, 200)]


def test_without_http2_the_client_gets_http11(folder: Path) -> None:
    with DemoOrigin(folder, http2=False) as origin, client_of(origin) as client:
        response = client.get(origin.url("clip.mp4"))
    assert (response.http_version, len(response.content)) == ("HTTP/1.1", SIZE)


def test_a_plain_http11_origin_without_ranges(folder: Path) -> None:
    with DemoOrigin(folder, tls=False, http2=False, ranges=False) as origin, httpx.Client() as client:
        assert origin.base_url.startswith("http://")
        response = client.get(origin.url("clip.mp4"), headers={"range": "bytes=0-9"})
        chunked = client.get(origin.url("clip.mp4", no_length=True))
    assert (response.status_code, len(response.content)) == (200, SIZE)
    assert chunked.headers["transfer-encoding"] == "chunked"
    assert len(chunked.content) == SIZE
    assert origin.stats().handshakes == 0


def test_an_idle_connection_is_closed_after_its_time(folder: Path) -> None:
    with DemoOrigin(folder, keep_alive_s=0.2) as origin, client_of(origin) as client:
        client.get(origin.url("clip.mp4"))
        assert wait_for(lambda: origin.stats().open == 0)


def test_dropped_connections_are_gone_at_once(served: DemoOrigin) -> None:
    with client_of(served) as client:
        client.get(served.url("clip.mp4"))
        served.drop_connections()
        with pytest.raises(httpx.TransportError):
            client.get(served.url("clip.mp4"))
        assert client.get(served.url("clip.mp4")).status_code == 200


def test_abandoned_bodies_do_not_break_the_server(served: DemoOrigin) -> None:
    with client_of(served) as client:
        for _ in range(3):
            with client.stream("GET", served.url("clip.mp4", rate=200_000)) as response:
                next(response.iter_raw())
    with client_of(served) as client:
        assert len(client.get(served.url("clip.mp4")).content) == SIZE


async def send_stream_reset(origin: DemoOrigin) -> int:
    """Open a stream, take its first bytes, reset it, and use the connection again."""
    import h2.config
    import h2.connection
    import h2.events

    context = ssl.create_default_context(cafile=str(origin.ca_file))
    context.set_alpn_protocols(["h2"])
    host, port = origin.base_url.removeprefix("https://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    conn.initiate_connection()
    conn.increment_flow_control_window(1 << 24)
    head = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/clip.mp4")]
    got = 0
    for _ in range(3):
        stream = conn.get_next_available_stream_id()
        conn.send_headers(stream, head, end_stream=True)
        writer.write(conn.data_to_send())
        while not any(
            isinstance(e, h2.events.DataReceived) for e in conn.receive_data(await reader.read(65536))
        ):
            writer.write(conn.data_to_send())
        conn.reset_stream(stream)
        writer.write(conn.data_to_send())
    last = conn.get_next_available_stream_id()
    conn.send_headers(last, head, end_stream=True)
    conn.increment_flow_control_window(1 << 24, last)
    writer.write(conn.data_to_send())
    ended = False
    while not ended:
        for event in conn.receive_data(await reader.read(65536)):
            if isinstance(event, h2.events.DataReceived) and event.stream_id == last:
                got += len(event.data)
            ended = ended or (isinstance(event, h2.events.StreamEnded) and event.stream_id == last)
    writer.close()
    await writer.wait_closed()
    return got


def test_streams_reset_by_the_client_do_not_break_the_connection(served: DemoOrigin) -> None:
    assert asyncio.run(send_stream_reset(served)) == SIZE
    assert served.stats().connections == 1


def test_a_new_connection_is_delayed_and_an_open_one_is_not(folder: Path) -> None:
    waited: list[float] = []

    async def no_sleep(seconds: float) -> None:
        waited.append(seconds)

    delays = SetupDelays(dns=0.01, tls=0.02, negotiation=0.04)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("touchline_lab.demo_origin.setup_delay.delay", no_sleep)
        with DemoOrigin(folder, delays) as origin, client_of(origin) as client:
            client.get(origin.url("clip.mp4"))
            cold = list(waited)
            client.get(origin.url("clip.mp4"))
    assert cold == [pytest.approx(0.03), pytest.approx(0.04)]
    assert waited == cold


def test_a_folder_that_is_served_on_a_taken_port_fails_at_the_start(served: DemoOrigin, folder: Path) -> None:
    taken = int(served.base_url.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        DemoOrigin(folder, port=taken).start()


def test_httpcore_alone_works_too(served: DemoOrigin) -> None:
    context = ssl.create_default_context(cafile=str(served.ca_file))
    with httpcore.ConnectionPool(ssl_context=context, http2=True) as pool:
        assert pool.request("GET", served.url("clip.mp4")).status == 200
