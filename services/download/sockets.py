"""How the pool opens sockets: resolved and checked here, with a small DNS cache."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable

import httpcore

from services.download.guard import UrlGuard

DNS_TTL_S = 60.0
"""glibc caches nothing, so a fresh connection would pay the look-up each time."""


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves through a cache, lets the guard check each address, and connects to exactly that address."""

    def __init__(self, guard: UrlGuard) -> None:
        self._guard = guard
        self._plain = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self.opened = 0

    def resolve(self, host: str, port: int, *, fresh: bool = False) -> list[str]:
        """Addresses of a host, in the resolver's order.

        Raises:
            httpcore.ConnectError: The name does not resolve.
            UrlRefused: An address is not allowed.
        """
        now = time.monotonic()
        with self._lock:
            known = self._cache.get((host, port))
        if known and not fresh and now - known[0] < DNS_TTL_S:
            return known[1]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} does not resolve: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._guard.check_address(host, address)
        with self._lock:
            self._cache[(host, port)] = (now, addresses)
        return addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that accepts; the time-out covers all of them together."""
        addresses = self.resolve(host, port)
        end = None if timeout is None else time.monotonic() + timeout
        failure: Exception = httpcore.ConnectError(f"{host!r} has no address")
        for address in addresses:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise httpcore.ConnectTimeout(f"no address of {host!r} accepted within {timeout:.1f} s")
            try:
                stream = self._plain.connect_tcp(
                    address, port, timeout=left, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            with self._lock:
                self.opened += 1
            return stream
        with self._lock:
            self._cache.pop((host, port), None)
        raise failure
