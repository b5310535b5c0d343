"""One request whose response body is still to be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from services.download.connection_setup import ConnectionSetup
from services.download.error_mapping import mapped_errors
from services.download.patience import Timeouts


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect that was followed.

    Attributes:
        url: The URL that redirected.
        status: Its status.
    """

    url: str
    status: int


class Exchange:
    """One response whose body is still to be read, and how it came about.

    Attributes:
        response: The httpx response; its body is unread.
        connected: Whether a new connection had to be opened.
        connect_s: Seconds that took (name, TCP, TLS).
        setup: The steps of that.
        first_byte_s: Seconds from sending the request to the response's head, connection set-up excluded.
        request_s: Seconds of these until the request was sent.
        redirects: The redirects that led here.
    """

    def __init__(self, response: httpx.Response, timeouts: Timeouts, seconds: float) -> None:
        self.response = response
        self.connected = timeouts.connect_s is not None
        self.connect_s = timeouts.connect_s or 0.0
        self.setup: ConnectionSetup = timeouts.setup
        self.first_byte_s = seconds - self.connect_s
        sent_s = 0.0 if timeouts.sent_at is None else timeouts.sent_at - (time.perf_counter() - seconds)
        self.request_s = min(max(0.0, sent_s - self.connect_s), self.first_byte_s)
        self.redirects: tuple[Redirect, ...] = ()
        timeouts.expect_silence_only()

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""
        return self.response.http_version

    def chunks(self) -> Iterator[bytes]:
        """The body's bytes as they arrive.

        Raises:
            StreamStalled: It broke off, was silent for too long, or is not over at the deadline.
        """
        with mapped_errors("download"):
            yield from self.response.iter_raw()

    def interrupt(self) -> None:
        """End a read that another thread is blocked in."""
        interrupt: Callable[[], None] | None = self.response.extensions.get("interrupt")
        if interrupt is not None:
            interrupt()  # HTTP/2: only this stream
        else:
            self.response.extensions["network_stream"].close()

    def close(self) -> None:
        """Give the response back; what is not read yet is given up."""
        self.response.close()
