"""How the pool opens sockets: names are resolved and addresses checked here, with a small DNS cache."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import httpcore

from services.deadline import Deadline
from services.download.connection_setup import ConnectionSetup
from services.download.guard import UrlGuard
from services.download.happy_eyeballs import connect_first
from services.download.patience import Patience
from services.download.proxy import Proxy
from services.download.socket_stream import SocketStream, mapped_timeouts, wait_s

Resolver = Callable[[str, int], list[str]]

DNS_TTL_S: Final = 60.0
"""Seconds. glibc caches nothing, so a fresh connection would pay the look-up each time."""
PROXIED_LOOK_UP_S: Final = 1.0
"""Seconds for looking up a name that the proxy resolves: machines behind one often have no resolver."""


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves through a cache, lets the guard check each address, and connects to exactly that address.

    Args:
        guard: Which addresses are allowed.
        proxy: Where connections go through; the guard checks the addresses that a name has here all the same.
        resolver: Gives the addresses of a host for a port; raises OSError or UnicodeError when it has none.

    Attributes:
        opened: Connections opened so far.
    """

    def __init__(self, guard: UrlGuard, proxy: Proxy | None = None, resolver: Resolver | None = None) -> None:
        self._guard = guard
        self._proxy = proxy
        self._resolver = resolver or system_resolver
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self.opened = 0

    def resolve(self, host: str, port: int, timeout: float, *, fresh: bool = False) -> list[str]:
        """Addresses of a host, in the order in which they are tried; waits up to `timeout` seconds.

        Raises:
            httpcore.ConnectError: The name does not resolve.
            httpcore.ConnectTimeout: Nor does it fail to.
            UrlRefused: An address is not allowed.
        """
        now = time.monotonic()
        with self._lock:
            known = self._cache.get((host, port))
        if known and not fresh and now - known[0] < DNS_TTL_S:
            return known[1]
        addresses = _look_up(self._resolver, host, port, timeout)
        for address in addresses:
            self._guard.check_address(host, address)
        self._remember(host, port, addresses)
        return addresses

    def refresh(self, host: str, port: int, timeout: float) -> None:
        """Resolve a name again, while nobody waits for it.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, UrlRefused
        """
        if self._proxy is None or not self._proxy.serves(host):
            self.resolve(host, port, timeout, fresh=True)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> SocketStream:
        """Connect to the address that accepts first; the time-out covers look-up and all addresses together.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, UrlRefused
        """
        with mapped_timeouts(httpcore.ConnectTimeout, httpcore.ConnectError):
            end = time.monotonic() + wait_s(timeout)
        if self._proxy is not None and self._proxy.serves(host):
            return self._connect_through(self._proxy, host, port, end)
        begun = time.perf_counter()
        addresses = self.resolve(host, port, end - time.monotonic())
        resolved = time.perf_counter()
        try:
            connected, address = connect_first(addresses, port, end)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            with self._lock:
                self._cache.pop((host, port), None)
            raise
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.opened += 1
        if address != addresses[0]:
            # the next connection need not find out again which address does not answer
            self._remember(host, port, [address, *(other for other in addresses if other != address)])
        setup = ConnectionSetup(resolved - begun, time.perf_counter() - resolved, address=address)
        return SocketStream(connected, setup)

    def _connect_through(self, proxy: Proxy, host: str, port: int, end: float) -> SocketStream:
        # most names are the proxy's to resolve; one that leads to an inner address from here is refused
        begun = time.perf_counter()
        with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
            self.resolve(host, port, min(PROXIED_LOOK_UP_S, end - time.monotonic()))
        addresses = _look_up(self._resolver, proxy.host, proxy.port, end - time.monotonic())
        resolved = time.perf_counter()
        connected, address = connect_first(addresses, proxy.port, end)
        stream = SocketStream(connected)
        deadline = Deadline(end)
        try:
            proxy.open_tunnel(stream, host, port, Patience(deadline.remaining(), deadline))
        except BaseException:
            stream.close()
            raise
        with self._lock:
            self.opened += 1
        stream.setup = ConnectionSetup(resolved - begun, time.perf_counter() - resolved, address=address)
        return stream

    def _remember(self, host: str, port: int, addresses: list[str]) -> None:
        with self._lock:
            self._cache[(host, port)] = (time.monotonic(), addresses)


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the operating system knows, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _look_up(resolver: Resolver, host: str, port: int, timeout: float) -> list[str]:
    """Ask the resolver, in a thread of its own: it has time-outs that no caller can shorten."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="touchline-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, timeout))
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"the name {host!r} was not resolved in time") from None
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(f"the name {host!r} does not resolve: {answer}") from answer
    return answer
