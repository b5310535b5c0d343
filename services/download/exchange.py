"""One request whose response body is still to be read."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from services.download import h2_reset
from services.download.error_mapping import mapped_errors


class Exchange:
    """One response whose body is still to be read, and how it came about.

    Attributes:
        response: The httpx response; its body is unread.
        connected: Whether a new connection had to be opened.
        connect_s: Seconds that took (name, TCP, TLS).
        first_byte_s: Seconds from sending the request to the response's head, connection set-up excluded.
    """

    def __init__(
        self, response: httpx.Response, connected: bool, connect_s: float, first_byte_s: float
    ) -> None:
        self.response = response
        self.connected = connected
        self.connect_s = connect_s
        self.first_byte_s = first_byte_s
        self._interrupted = False
        self._timeouts: dict[str, float] = response.request.extensions["timeout"]

    @property
    def protocol(self) -> str:
        """`HTTP/2` or `HTTP/1.1`."""
        return self.response.http_version

    def chunks(self, stall_timeout: Callable[[], float]) -> Iterator[bytes]:
        """The body's bytes as they arrive; `stall_timeout` gives the longest wait for each read."""
        with mapped_errors("download"):
            self._timeouts["read"] = stall_timeout()
            for chunk in self.response.iter_raw():
                yield chunk
                self._timeouts["read"] = stall_timeout()

    def interrupt(self) -> None:
        """End a read that another thread is blocked in."""
        self._interrupted = h2_reset.wake_reader(self.response)
        if self._interrupted:
            return
        stream = self.response.extensions.get("network_stream")
        if stream is not None:
            _shut(stream)

    def close(self, *, complete: bool) -> None:
        """Give the response back; an incomplete one is reset so that its connection stays usable."""
        if not (complete or self._interrupted or h2_reset.reset_stream(self.response)):
            stream = self.response.extensions.get("network_stream")
            if stream is not None:
                stream.close()
        self.response.close()


def _shut(stream: Any) -> None:
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # closed already: just what was wanted
            sock.shutdown(socket.SHUT_RDWR)
