"""An HTTP/2 connection whose origin sends, in one piece, what real ones send apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import httpcore
import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame

from services.deadline import Deadline
from services.download.http2 import Http2Connection
from services.download.patience import Patience, Timeouts

HEAD = [(":status", "200"), ("content-length", "4")]


class Wire(httpcore.NetworkStream):
    """A connection whose other end answers the first request with what `script` makes of it.

    Args:
        script: Gets the origin's HTTP/2 state, once a request is there; gives what is sent behind its frames.
        writes: How many writes succeed.
    """

    def __init__(
        self, script: Callable[[h2.connection.H2Connection], bytes], writes: int | None = None
    ) -> None:
        self._origin = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._origin.initiate_connection()
        self._script = script
        self._writes = writes
        self._answers: list[bytes] = []
        self.closed = threading.Event()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._writes == 0:
            raise httpcore.WriteError("broken pipe")
        if self._writes is not None:
            self._writes -= 1
        events = self._origin.receive_data(buffer)
        if any(isinstance(event, h2.events.RequestReceived) for event in events):
            more = self._script(self._origin)
            self._answers.append((self._origin.data_to_send() or b"") + more)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self.closed.is_set():
            raise httpcore.ReadError("closed")
        return self._answers.pop(0) if self._answers else b""

    def close(self) -> None:
        self.closed.set()


def ask(wire: Wire) -> httpcore.Response:
    """The head of the response to one request over a connection."""
    origin = httpcore.Origin(b"https", b"clips.test", 443)
    patience = Patience(5.0, Deadline.after(5.0))
    request = httpcore.Request(
        "GET",
        "https://clips.test/a.mp4",
        headers=[("host", "clips.test")],
        extensions={"timeout": Timeouts(patience, patience)},
    )
    return Http2Connection(origin, wire, keepalive_expiry=60.0).handle_request(request)


def body(response: httpcore.Response) -> bytes:
    """All of a body."""
    parts: Any = response.stream
    return b"".join(parts)


def whole(origin: h2.connection.H2Connection) -> bytes:
    """A complete response."""
    origin.send_headers(1, HEAD)
    origin.send_data(1, b"clip", end_stream=True)
    return b""


def begun(origin: h2.connection.H2Connection) -> bytes:
    """A response that breaks off."""
    origin.send_headers(1, HEAD)
    origin.send_data(1, b"cl")
    return b""


def test_a_response_that_is_complete_counts_although_the_origin_ends_the_connection_with_an_error() -> None:
    wire = Wire(lambda origin: whole(origin) + GoAwayFrame(0, last_stream_id=1, error_code=11).serialize())
    # the frame follows what h2 has to say
    assert body(ask(wire)) == b"clip"


def test_a_response_that_is_complete_counts_although_nothing_can_be_sent_any_more() -> None:
    wire = Wire(lambda origin: whole(origin) + PingFrame(0, opaque_data=b"anything").serialize(), writes=1)
    assert body(ask(wire)) == b"clip"


def test_a_body_that_follows_although_its_request_was_denied_is_an_error_of_the_protocol() -> None:
    def denied(origin: h2.connection.H2Connection) -> bytes:
        settings = origin.data_to_send() or b""
        begun(origin)
        return settings + GoAwayFrame(0, last_stream_id=0).serialize() + (origin.data_to_send() or b"")

    with pytest.raises(httpcore.RemoteProtocolError):
        body(ask(Wire(denied)))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(GoAwayFrame(0, last_stream_id=0).serialize(), id="denied after its beginning"),
        pytest.param(b"\0\0\2\0\x08\0\0\0\1\x09a", id="more padding than bytes"),
        pytest.param(DataFrame(1, data=b"much more").serialize(), id="more bytes than announced"),
    ],
)
def test_a_body_that_ends_in_nonsense_is_an_error_of_the_protocol(frame: bytes) -> None:
    wire = Wire(lambda origin: begun(origin) + frame)
    with pytest.raises(httpcore.RemoteProtocolError):
        body(ask(wire))
