"""HTTP connections that strangers cannot hold for long: late or large heads, too many of one address.

A connection answers one request at a time. Bytes that come before the answer to a request was sent are
dropped, and the connection closes behind the answer: uvicorn would stop reading, and so not learn that the
client has gone away. HTTP/1.1 has clients send such requests again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from services.gateway.rejection import Rejection

log = logging.getLogger(__name__)

HEAD_S: Final = 10.0
"""Seconds from the first byte of a request, or from the connection, until its head has to be complete."""
MAX_HEAD_BYTES: Final = 65_536
"""Bytes of a head; those of validators have less than a thousand."""
PER_ADDRESS: Final = 64
"""Connections of one public address; a reverse proxy has a private one."""


class BoundedConnection(HttpToolsProtocol):
    """A connection of uvicorn's with bounds; one that goes beyond them is closed."""

    open_by_network: Counter[str] = Counter()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._network = ""
        self._drops = False
        """Whether what comes is dropped: it belongs to a request that came before its turn."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and begin to wait for its first request."""
        super().connection_made(transport)
        self._network = _public_network(self.client[0] if self.client else "")
        self.open_by_network[self._network] += 1
        if self._network and self.open_by_network[self._network] > PER_ADDRESS:
            log.warning("%s has more than %d connections", self._network, PER_ADDRESS)
            transport.abort()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        self.open_by_network[self._network] -= 1
        if not self.open_by_network[self._network]:
            del self.open_by_network[self._network]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on what comes, as long as no head becomes too large."""
        if self._drops:
            return
        super().data_received(data)
        if self.transport.is_closing() or self._drops:
            return
        if self._timer is not None:
            # still no whole head
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The head of the request is too large.")
        elif self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
            # bytes between two requests, which ended uvicorn's own wait for the next one
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """The first bytes of a request: from now on its head has to come."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._drops = True
            self.cycle.keep_alive = False
            return
        super().on_message_begin()
        self._wait_for_head()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        if not self._drops:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        if not self._drops:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self._drops:
            return
        self._stop_waiting()
        if self.parser.should_upgrade() and self.parser.get_method() == b"POST":
            # the parser does not read a body behind such a head
            self.send_400_response("A challenge is not read with the header Upgrade; leave it out.")
            self._drops = True
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._drops:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        if not self._drops:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say in JSON, as every rejection, that this is no request; not in place of another's answer."""
        if self._drops:
            return
        body = bytes(Rejection(400, "request", msg).response().body)
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(STATUS_LINE[400] + head % len(body) + body)
        self.transport.close()

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._head_bytes = 0
            self._timer = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()


def _public_network(address: str) -> str:
    """The address, or of IPv6 the /64 that one host has; empty for one of the own network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if not found.is_global:
        return ""
    return str(ipaddress.ip_network(f"{address}/64", strict=False)) if found.version == 6 else address


def allow_many_connections() -> None:
    """Raise the limit of open files, which is 1024 in many places, to what this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):
        # some systems state no limit and allow none of that size
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
