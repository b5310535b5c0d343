"""A minimal HTTP/2 client over TLS, whose times are the floor: one socket, one request at a time."""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings

WINDOW = 2**31 - 1
"""Bytes of the flow-control windows: the largest that HTTP/2 allows (RFC 9113, section 6.9.1)."""
READ = 1 << 20
"""Bytes that are read from the socket at once."""


class RawH2:
    """One open connection to the origin of a URL; a context manager.

    Args:
        url: The URL that `fetch` requests.
        ca_file: File of the certificate authority of the origin.
    """

    def __init__(self, url: str, ca_file: str) -> None:
        self._parts = urlsplit(url)
        self._context = ssl.create_default_context(cafile=ca_file)
        self._context.set_alpn_protocols(["h2"])
        self._h2 = H2Connection(H2Configuration(header_encoding=None))

    def __enter__(self) -> Self:
        host = self._parts.hostname or ""
        plain = socket.create_connection((host, self._parts.port or 443), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = self._context.wrap_socket(plain, server_hostname=host)
        # with the largest windows the server never has to wait for a WINDOW_UPDATE
        self._h2.local_settings = Settings(True, {SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW - 65_535)
        self._socket.sendall(self._h2.data_to_send())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fetch(self, method: str) -> tuple[float, float, int]:
        """Send one request and read its response.

        Returns:
            Seconds until the first bytes of the response, seconds until its end, and bytes of its body.

        Raises:
            ConnectionError: The origin closed the connection or reset the request.
        """
        begin = time.perf_counter()
        first = 0.0
        size = 0
        stream = self._h2.get_next_available_stream_id()
        path = self._parts.path + (f"?{self._parts.query}" if self._parts.query else "")
        headers = [
            (":method", method),
            (":path", path),
            (":scheme", "https"),
            (":authority", self._parts.netloc),
        ]
        self._h2.send_headers(stream, headers, end_stream=True)
        self._socket.sendall(self._h2.data_to_send())
        while True:
            data = self._socket.recv(READ)
            if not data:
                raise ConnectionError("the origin closed the connection")
            first = first or time.perf_counter() - begin
            for event in self._h2.receive_data(data):
                if isinstance(event, DataReceived):
                    size += len(event.data)
                elif isinstance(event, StreamReset):
                    raise ConnectionError("the origin reset the request")
                elif isinstance(event, StreamEnded):
                    return first, time.perf_counter() - begin, size
            waiting = self._h2.data_to_send()
            if waiting:
                self._socket.sendall(waiting)
