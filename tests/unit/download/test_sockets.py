"""Opening sockets: which address answers, and what bounds every wait."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpcore
import pytest

from services.deadline import Deadline
from services.download.guard import UrlGuard
from services.download.patience import Patience
from services.download.socket_stream import SocketStream
from services.download.sockets import GuardedBackend
from services.errors import UrlRefused

OPEN = UrlGuard(("*",), allow_http=True, allow_private=True)
STRICT = UrlGuard(("*",), allow_http=True, allow_private=False)


@contextmanager
def listener(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that accepts."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as server:
        yield server.getsockname()[1]


@contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """An address that answers no SYN: its queue of connections is full and nobody accepts them."""
    with ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        server = stack.enter_context(socket.socket(family))
        server.bind((address, port))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket(family))
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


def backend(*addresses: str, guard: UrlGuard = OPEN) -> GuardedBackend:
    """A backend whose resolver knows these addresses for every name."""

    def resolver(host: str, port: int) -> list[str]:
        return list(addresses)

    return GuardedBackend(guard, resolver=resolver)


def has_ipv6() -> bool:
    """Whether this machine has a loopback for IPv6."""
    try:
        with listener("::1"):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "dead", [pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6")), "127.0.0.2"]
)
def test_an_address_that_swallows_connections_costs_a_moment_once(dead: str) -> None:
    with listener() as port, black_hole(dead, port):
        opens = backend(dead, "127.0.0.1")
        stream = opens.connect_tcp("clips.test", port, timeout=5.0)
        reached = stream.get_extra_info("socket").getpeername()[0]
        stream.close()
        assert reached == "127.0.0.1"
        # the next connection begins with the address that answered
        assert opens.resolve("clips.test", port, 1.0) == ["127.0.0.1", dead]


def test_an_address_that_refuses_is_passed_over_at_once() -> None:
    with listener() as port:
        stream = backend("127.0.0.3", "127.0.0.1").connect_tcp("clips.test", port, timeout=5.0)
        assert stream.get_extra_info("socket").getpeername()[0] == "127.0.0.1"
        stream.close()


def test_a_family_of_addresses_that_the_machine_lacks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = -1, *arguments: int, **named: object) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *arguments, **named)  # type: ignore[arg-type]

    with listener() as port:
        monkeypatch.setattr(socket, "socket", WithoutIpv6)
        stream = backend("::1", "127.0.0.1").connect_tcp("clips.test", port, timeout=5.0)
        assert stream.get_extra_info("socket").getpeername()[0] == "127.0.0.1"
        stream.close()
        with pytest.raises(httpcore.ConnectError, match="::1.*not supported"):
            backend("::1").connect_tcp("clips.test", port, timeout=5.0)


def test_the_time_out_covers_all_addresses_together() -> None:
    opens = backend("127.0.0.2", "127.0.0.3")
    with (
        listener() as port,
        black_hole("127.0.0.2", port),
        black_hole("127.0.0.3", port),
        pytest.raises(httpcore.ConnectTimeout, match=r"127\.0\.0\.3"),
    ):
        opens.connect_tcp("clips.test", port, timeout=0.6)


def test_an_error_names_address_and_reason() -> None:
    with listener() as port:
        pass
    with pytest.raises(httpcore.ConnectError, match=r"127\.0\.0\.1.*refused"):
        backend("127.0.0.1").connect_tcp("clips.test", port, timeout=5.0)


def test_one_inner_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(UrlRefused, match=r"10\.0\.0\.1"):
        backend("93.184.216.34", "10.0.0.1", guard=STRICT).connect_tcp("clips.test", 443, timeout=1.0)


def test_a_resolver_that_never_answers_is_left_after_the_time_out() -> None:
    never = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        never.wait(30)
        return []

    opens = GuardedBackend(OPEN, resolver=hang)
    with pytest.raises(httpcore.ConnectTimeout, match="resolved"):
        opens.connect_tcp("clips.test", 443, timeout=0.1)
    never.set()


def test_a_tls_connection_that_another_thread_closes_during_a_read_is_an_error_of_the_network() -> None:
    class ClosedMeanwhile(socket.socket):
        def recv(self, *_: int) -> bytes:
            raise ValueError("Read on closed or unwrapped SSL socket.")  # as ssl.SSLSocket says it

    with ClosedMeanwhile() as connected, pytest.raises(httpcore.ReadError, match="closed"):
        SocketStream(connected).read(10, 1.0)


def test_bytes_that_drip_do_not_prolong_an_exchange() -> None:
    with listener() as port:
        stream = backend("127.0.0.1").connect_tcp("clips.test", port, timeout=5.0)
        over = Patience(60.0, Deadline.after(-1.0))
        with pytest.raises(httpcore.ReadTimeout, match="over"):
            stream.read(10, over)
        stream.close()
