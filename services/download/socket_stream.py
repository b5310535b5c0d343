"""A connected socket, as httpcore wants it, whose every operation ends in time."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import httpcore

from services.download.connection_setup import REUSED, ConnectionSetup
from services.download.patience import Patience

_T = TypeVar("_T")

DEFAULT_TIMEOUT_S: Final = 30.0
"""Seconds for an operation whose caller names no time-out; all callers of this project name one."""


class SocketStream(httpcore.NetworkStream):
    """A connected socket for httpcore. Every operation ends with its time-out or the exchange's deadline.

    One thread may read while another writes: the socket never blocks, and a TLS connection is touched by one
    of them at a time.

    Args:
        connected: A socket that does not block.
        setup: How long it took to open it.

    Attributes:
        setup: The same.
    """

    def __init__(self, connected: socket.socket, setup: ConnectionSetup = REUSED) -> None:
        self._socket = connected
        self.setup = setup
        self._lock = threading.Lock()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to `max_bytes` bytes; none at the end.

        Raises:
            httpcore.ReadTimeout, httpcore.ReadError
        """
        with mapped_timeouts(httpcore.ReadTimeout, httpcore.ReadError):
            return self._run(partial(self._socket.recv, max_bytes), select.POLLIN, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes.

        Raises:
            httpcore.WriteTimeout, httpcore.WriteError
        """
        with mapped_timeouts(httpcore.WriteTimeout, httpcore.WriteError):
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
        begun = time.perf_counter()
        try:
            with mapped_timeouts(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._socket.settimeout(wait_s(timeout))
                secure = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        secure.setblocking(False)
        seconds, chosen = time.perf_counter() - begun, secure.selected_alpn_protocol()
        return SocketStream(secure, replace(self.setup, tls_s=seconds, alpn=chosen or ""))

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
        end = time.monotonic() + wait_s(timeout)
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


def wait_s(timeout: float | None) -> float:
    """The longest wait of one operation from now on, in seconds.

    Raises:
        TimeoutError: The time of the whole exchange is over.
    """
    seconds = timeout.left if isinstance(timeout, Patience) else timeout
    if seconds is None:
        return DEFAULT_TIMEOUT_S
    if seconds <= 0:
        raise TimeoutError("the time for the whole exchange is over")
    return seconds


@contextmanager
def mapped_timeouts(on_timeout: type[Exception], otherwise: type[Exception]) -> Iterator[None]:
    """Raise httpcore's errors for those of the operating system: for a time-out, and for everything else."""
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: another thread has just closed the TLS connection
        raise otherwise(str(error)) from error
