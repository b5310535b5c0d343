"""What happens to one request inside httpcore: was a connection opened, and is the request on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

_SENT_EVENTS: Final = ("connection.connect_tcp.started", "http2.send_request_headers.complete")


class RequestTrace:
    """Listens to httpcore's trace extension for one request.

    Attributes:
        connect_started: When a connection began to be opened; None when one was reused.
        connect_ended: When it was open.

    Args:
        on_connect: Called when a connection has to be opened.
        on_sent: Called when the request no longer uses state that another request could change.
    """

    def __init__(self, on_connect: Callable[[], None], on_sent: Callable[[], None]) -> None:
        self._on_connect = on_connect
        self._on_sent = on_sent
        self.connect_started: float | None = None
        self.connect_ended: float | None = None

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        """Take one event of the trace, by its name in httpcore."""
        if event in _SENT_EVENTS:
            self._on_sent()
        if event == "connection.connect_tcp.started":
            self.connect_started = time.perf_counter()
            self._on_connect()
        elif event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.connect_ended = time.perf_counter()


class SendTurn:
    """A lock that is released once: when the request has been sent, or when it failed."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._held = False

    def __enter__(self) -> SendTurn:
        self._lock.acquire()
        self._held = True
        return self

    def done(self) -> None:
        """Release the lock, if it is still held."""
        if self._held:
            self._held = False
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.done()
