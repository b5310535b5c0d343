"""Connecting to whichever address of a host answers first (RFC 8305)."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import httpcore

ATTEMPT_DELAY_S: Final = 0.25
"""Seconds after which the next address of a host is tried beside those that have not answered (RFC 8305)."""


def connect_first(addresses: Sequence[str], port: int, end: float) -> tuple[socket.socket, str]:
    """Connect to the addresses one after the other, a little apart, until one accepts.

    Args:
        addresses: IPv4 and IPv6 addresses, the preferred one first.
        port: The port on all of them.
        end: Monotonic time at which to give up.

    Returns:
        The connected socket, which does not block, and its address.

    Raises:
        httpcore.ConnectError: None accepts; the text says why the last one does not.
        httpcore.ConnectTimeout: None has accepted in time.
    """
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
                    try:
                        attempt = socket.socket(family, socket.SOCK_STREAM)
                    except OSError as error:  # this machine does not speak IPv6, or has no more sockets
                        failure = f"{address}: {error}"
                        continue
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
