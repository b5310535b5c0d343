"""What strangers may cost a gateway: connections, memory and time of its event loop are bounded."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from services.download.guard import UrlGuard
from services.errors import UrlRefused
from services.gateway import connections
from services.gateway.connections import MAX_HEAD_BYTES
from services.processes.embedded_valkey import EmbeddedValkey
from tasks.queue_message import check_message
from tests.support.gateways import body_of, queued, running
from tests.support.processes import wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def alone(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A gateway that waits for a head for a second, with nobody behind it."""
    monkeypatch.setattr(connections, "HEAD_S", 1.0)
    with running(
        valkey.url, verify_enabled=False, gateway_deadline_s=4.0, max_queue=1000, body_timeout_s=2.0
    ) as client:
        yield client


def connected(client: httpx.Client, stack: ExitStack) -> socket.socket:
    address = (client.base_url.host, client.base_url.port or 80)
    opened = stack.enter_context(socket.create_connection(address))
    opened.settimeout(60)
    return opened


def is_closed(stranger: socket.socket) -> bool:
    """Whether the gateway closes the connection, after whatever it still says."""
    try:
        while stranger.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"]
)
def test_a_connection_whose_head_does_not_come_is_closed(alone: httpx.Client, sent: bytes) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(sent)
        assert is_closed(stranger)
    assert alone.get("/healthz").status_code == 200


def test_a_connection_stays_open_for_further_requests(alone: httpx.Client) -> None:
    with ExitStack() as stack:
        caller = connected(alone, stack)
        for _ in range(2):
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in caller.recv(1000)
            time.sleep(1.5)  # longer than a head may take


def test_a_head_without_an_end_is_given_up(alone: httpx.Client) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * (MAX_HEAD_BYTES + 10))
        assert b" 400 " in stranger.recv(1000)
        assert is_closed(stranger)


@pytest.mark.parametrize(
    "sent", [b"\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"]
)
def test_bytes_between_requests_hold_no_connection(alone: httpx.Client, sent: bytes) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in stranger.recv(1000)
        stranger.sendall(sent)
        time.sleep(0.1)
        with suppress(OSError):  # it may be closed by now
            stranger.sendall(b"\r\n")
        assert is_closed(stranger)


def test_a_large_body_that_comes_with_its_head_is_read(alone: httpx.Client, valkey: EmbeddedValkey) -> None:
    filling = "x" * (MAX_HEAD_BYTES + 10_000)
    body = json.dumps({"challenge_id": "1", "video_url": "https://127.0.0.1/a", "filling": filling}).encode()
    head = b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ExitStack() as stack:
        caller = connected(alone, stack)
        caller.sendall(head + body)
        assert b" 504 " in caller.recv(1000), "it was enqueued, and nobody works"
    assert queued(valkey.url)


def test_the_connection_of_a_rejected_body_is_closed(alone: httpx.Client) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert b" 408 " in stranger.recv(1000)
        assert is_closed(stranger), "whatever else the stranger sends"


def post(name: str) -> bytes:
    """A request of the GSR track, with its head."""
    body = body_of(name=name)
    return b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("together", [True, False], ids=["in one packet", "later"])
def test_a_client_that_sent_a_second_request_and_goes_away_ends_the_work(
    valkey: EmbeddedValkey, together: bool
) -> None:
    with running(valkey.url, verify_enabled=False, max_queue=1000) as client:
        with ExitStack() as stack:
            caller = connected(client, stack)
            if together:
                caller.sendall(post("first") + post("second"))
            else:
                caller.sendall(post("first"))
                assert wait_for(lambda: bool(queued(valkey.url)))
                caller.sendall(post("second"))
            assert wait_for(lambda: bool(queued(valkey.url)))
            (message,) = queued(valkey.url)
            assert check_message(message).challenge_id == "first"
        assert wait_for(lambda: not queued(valkey.url), 10), "nobody waits for it: it is taken off the queue"


@pytest.mark.parametrize("second", [post("2"), b"GET /healthz HTTP/1.1\r\nHo"], ids=["whole", "half"])
def test_a_request_that_comes_before_the_answer_closes_the_connection_behind_the_answer(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch, second: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with running(valkey.url, verify_enabled=False, gateway_deadline_s=1.6) as client, ExitStack() as stack:
        caller = connected(client, stack)
        caller.sendall(post("1") + second)
        answer = caller.recv(65_536)
        assert b" 504 " in answer, "it was waited for, and nobody works"
        assert b"connection: close" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert is_closed(caller)


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00", b"BREW / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_no_http_is_refused_in_json(alone: httpx.Client, sent: bytes) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(sent)
        head, _, body = stranger.recv(65_536).partition(b"\r\n\r\n")
        assert b" 400 " in head
        assert b"application/json" in head
        assert json.loads(body)["error"] == "request"
        assert is_closed(stranger)


ODD = {
    "a host that is none": b"POST /soccer/challenge HTTP/1.1\r\nHost: [\r\nContent-Length: 1\r\n\r\n{",
    "a host with a path": b"POST /soccer/challenge HTTP/1.1\r\nHost: x/y\r\nContent-Length: 1\r\n\r\n{",
    "no host": b"POST /soccer/challenge HTTP/1.1\r\nContent-Length: 1\r\n\r\n{",
    "HTTP/1.0": b"POST /soccer/challenge HTTP/1.0\r\nContent-Length: 1\r\n\r\n{",
    "no length": b"POST /soccer/challenge HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length twice": post("1").replace(b"Host: x", b"Content-Length: 1"),
    "a negative length": b"POST /soccer/challenge HTTP/1.1\r\nContent-Length: -1\r\n\r\n{",
    "a length of 30 digits": b"POST /soccer/challenge HTTP/1.1\r\nContent-Length: %s\r\n\r\n{" % (b"9" * 30),
    "length and chunks": post("1").replace(b"Host: x", b"Transfer-Encoding: chunked"),
    "chunks that are none": b"POST /soccer/challenge HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an upgrade": post("1").replace(b"Host: x", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"),
    "an address of another host": post("1").replace(b"/soccer", b"http://[/soccer"),
    "bytes in the path": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "escapes in the path": b"GET /%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /soccer/challenge HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "line feeds alone": b"POST /soccer/challenge HTTP/1.1\nHost: x\n\n",
}


@pytest.mark.parametrize("sent", ODD.values(), ids=ODD)
def test_an_odd_request_is_refused_in_json_and_not_enqueued(
    alone: httpx.Client, valkey: EmbeddedValkey, sent: bytes
) -> None:
    with ExitStack() as stack:
        stranger = connected(alone, stack)
        stranger.sendall(sent)
        head, _, body = stranger.recv(65_536).partition(b"\r\n\r\n")
        assert int(head.split()[1]) in (400, 404, 405, 422), head
        assert set(json.loads(body)) == {"error", "detail"}
    assert not queued(valkey.url)


def test_one_public_address_has_a_bound_number_of_connections(
    alone: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PER_ADDRESS", 3)
    monkeypatch.setattr(connections, "HEAD_S", 60.0)
    with ExitStack() as stack:
        own = [connected(alone, stack) for _ in range(5)]
        for caller in own:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in caller.recv(1000), "addresses of the own network have none"
    monkeypatch.setattr(connections, "_public_network", lambda address: "192.0.2.1")
    with ExitStack() as stack:
        many = [connected(alone, stack) for _ in range(5)]
        refused = [caller for caller in many if is_refused(caller)]
    assert len(refused) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("2606:4700:0:1:2:3:4:5", "2606:4700:0:1::/64"),
        ("10.0.0.7", ""),
        ("127.0.0.1", ""),
        ("fd00::7", ""),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_counts_with_its_whole_network(address: str, network: str) -> None:
    assert connections._public_network(address) == network


def is_refused(caller: socket.socket) -> bool:
    try:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        return not caller.recv(1000)
    except OSError:
        return True


def test_polls_of_strangers_keep_no_validator_out(alone: httpx.Client, valkey: EmbeddedValkey) -> None:
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        polls = [pool.submit(alone.get, "/readyz") for _ in range(600)]
        asked = [
            pool.submit(alone.post, "/soccer/challenge", content=body_of(name=f"c-{number}"))
            for number in range(20)
        ]
        assert {poll.result().json()["redis"] for poll in polls} == {True}
        assert {one.result().status_code for one in asked} == {504}, "they were enqueued, and nobody works"


def test_many_addresses_in_one_request_stop_nobody_else(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 000 addresses take seconds; these take until somebody else was answered."""
    checking, answered = threading.Event(), threading.Event()

    def refuse(guard: UrlGuard, url: str) -> str:
        checking.set()
        answered.wait(30)
        raise UrlRefused("not from here")

    monkeypatch.setattr(UrlGuard, "check_url", refuse)
    frames = [{"frame_id": number, "url": f"https://127.0.0.1/{number}.jpg"} for number in range(1000)]
    with running(valkey.url, verify_enabled=False, served_kinds=("tv_predict",)) as client:
        client.timeout = 20
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            large = pool.submit(client.post, "/predict", json={"url": None, "frames": frames}, timeout=60)
            assert checking.wait(30)
            assert client.get("/healthz").status_code == 200
            answered.set()
        assert large.result().json()["error"] == "UrlRefused"
    assert not queued(valkey.url)
