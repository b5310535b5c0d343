"""How the pool opens sockets: resolved and checked here, with a small DNS cache, the first that answers."""

from __future__ import annotations

import errno
import os
import queue
import select
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import zip_longest
from typing import Any, Final, TypeVar

import httpcore

from services.deadline import Deadline
from services.download.guard import UrlGuard
from services.download.patience import Patience
from services.download.proxy import Proxy

_T = TypeVar("_T")
Resolver = Callable[[str, int], list[str]]

DNS_TTL_S: Final = 60.0
"""Seconds. glibc caches nothing, so a fresh connection would pay the look-up each time."""
ATTEMPT_DELAY_S: Final = 0.25
"""Seconds after which the next address of a host is tried beside those that have not answered (RFC 8305)."""
PROXIED_LOOK_UP_S: Final = 1.0
"""Seconds for looking up a name that the proxy resolves: machines behind one often have no resolver."""
DEFAULT_TIMEOUT_S: Final = 30.0
"""Seconds for an operation whose caller names no time-out; all callers of this project name one."""


class SocketStream(httpcore.NetworkStream):
    """A connected socket for httpcore. Every operation ends with its time-out or the exchange's deadline.

    One thread may read while another writes: the socket never blocks, and a TLS connection is touched by one
    of them at a time.

    Args:
        connected: A socket that does not block.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lock = threading.Lock()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to `max_bytes` bytes; none at the end.

        Raises:
            httpcore.ReadTimeout, httpcore.ReadError
        """
        with _mapped(httpcore.ReadTimeout, httpcore.ReadError):
            return self._run(partial(self._socket.recv, max_bytes), select.POLLIN, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes.

        Raises:
            httpcore.WriteTimeout, httpcore.WriteError
        """
        with _mapped(httpcore.WriteTimeout, httpcore.WriteError):
            left = memoryview(buffer)
            while left:
                left = left[self._run(partial(self._socket.send, left), select.POLLOUT, timeout) :]

    def close(self) -> None:
        """Close the socket; a thread that waits for it wakes."""
        with suppress(OSError):  # the peer was faster
            # not SSLSocket.shutdown: it takes the TLS state from a thread that reads
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> SocketStream:
        """The same connection with TLS.

        Raises:
            httpcore.ConnectTimeout, httpcore.ConnectError
        """
        try:
            with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._socket.settimeout(_seconds(timeout))
                secure = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        secure.setblocking(False)
        return SocketStream(secure)

    def get_extra_info(self, info: str) -> Any:
        """The socket as `socket`, the TLS object as `ssl_object`, whether it can be read as `is_readable`."""
        if info == "socket":
            return self._socket
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "is_readable":
            return self._socket.fileno() < 0 or self._is_ready(select.POLLIN, 0)
        return None

    def _run(self, operation: Callable[[], _T], direction: int, timeout: float | None) -> _T:
        """Repeat an operation that does not block until it has something to give."""
        end = time.monotonic() + _seconds(timeout)
        while True:
            try:
                with self._lock:
                    return operation()
            except BlockingIOError:
                waits_for = direction
            except ssl.SSLWantReadError:
                waits_for = select.POLLIN
            except ssl.SSLWantWriteError:
                waits_for = select.POLLOUT
            if not self._is_ready(waits_for, end - time.monotonic()):
                raise TimeoutError("timed out")

    def _is_ready(self, direction: int, seconds: float) -> bool:
        poll = select.poll()
        try:
            poll.register(self._socket, direction)
        except ValueError as error:
            raise OSError("the connection was closed") from error
        return bool(poll.poll(max(0.0, seconds) * 1000))


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
    ) -> httpcore.NetworkStream:
        """Connect to the address that accepts first; the time-out covers look-up and all addresses together.

        Raises:
            httpcore.ConnectError, httpcore.ConnectTimeout, UrlRefused
        """
        with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
            end = time.monotonic() + _seconds(timeout)
        if self._proxy is not None and self._proxy.serves(host):
            return self._connect_through(self._proxy, host, port, end)
        addresses = self.resolve(host, port, end - time.monotonic())
        try:
            connected, address = _connect_first(addresses, port, end)
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
        return SocketStream(connected)

    def _connect_through(self, proxy: Proxy, host: str, port: int, end: float) -> SocketStream:
        # most names are the proxy's to resolve; one that leads to an inner address from here is refused
        with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
            self.resolve(host, port, min(PROXIED_LOOK_UP_S, end - time.monotonic()))
        addresses = _look_up(self._resolver, proxy.host, proxy.port, end - time.monotonic())
        connected, _ = _connect_first(addresses, proxy.port, end)
        stream = SocketStream(connected)
        deadline = Deadline(end)
        try:
            proxy.open_tunnel(stream, host, port, Patience(deadline.remaining(), deadline))
        except BaseException:
            stream.close()
            raise
        with self._lock:
            self.opened += 1
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


def _connect_first(addresses: Sequence[str], port: int, end: float) -> tuple[socket.socket, str]:
    """Connect to the addresses one after the other, a little apart, until one accepts (RFC 8305)."""
    waiting = deque(_families_in_turn(addresses))
    next_attempt = time.monotonic()
    failure = "it has no address"
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                now = time.monotonic()
                if now >= end:
                    raise httpcore.ConnectTimeout(f"none of {', '.join(addresses)} accepted in time")
                if waiting and (now >= next_attempt or not selector.get_map()):
                    address = waiting.popleft()
                    next_attempt = now + ATTEMPT_DELAY_S
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    attempt = socket.socket(family, socket.SOCK_STREAM)
                    attempt.setblocking(False)
                    code = attempt.connect_ex((address, port))
                    if code in (0, errno.EINPROGRESS):
                        selector.register(attempt, selectors.EVENT_WRITE, (attempt, address))
                    else:
                        failure = _failure(attempt, address, code)
                    continue
                for key, _ in selector.select(min(end, next_attempt if waiting else end) - now):
                    attempt, address = key.data
                    selector.unregister(attempt)
                    code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        return attempt, address
                    failure = _failure(attempt, address, code)
                    next_attempt = now
        finally:
            for key in list(selector.get_map().values()):
                key.data[0].close()
    raise httpcore.ConnectError(failure)


def _failure(attempt: socket.socket, address: str, code: int) -> str:
    attempt.close()
    return f"{address}: [Errno {code}] {os.strerror(code)}"


def _families_in_turn(addresses: Sequence[str]) -> Iterator[str]:
    """IPv6 and IPv4 in turn, beginning with the family that the resolver put first."""
    if not addresses:
        return
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    for pair in zip_longest(first, second):
        yield from (address for address in pair if address is not None)


def _seconds(timeout: float | None) -> float:
    """The longest wait of one operation, from now on."""
    seconds = timeout.left if isinstance(timeout, Patience) else timeout
    if seconds is None:
        return DEFAULT_TIMEOUT_S
    if seconds <= 0:
        raise TimeoutError("the time for the whole exchange is over")
    return seconds


@contextmanager
def _mapped(on_timeout: type[Exception], otherwise: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(str(error)) from error
    except OSError as error:
        raise otherwise(str(error)) from error
