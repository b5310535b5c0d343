"""Giving up an HTTP/2 response without harming its connection.

httpcore 1.0 closes an unread response without telling the server: the server goes on sending, nobody
acknowledges it, and after a few abandoned bodies the connection's flow-control window is used up and the
next request hangs (encode/httpcore discussions; measured in benchmarks/). RFC 9113 section 5.4.2 has
RST_STREAM for this. This is the one place that looks inside httpcore; where its inside is not as expected,
nothing is touched and the caller drops the connection instead.
"""

from __future__ import annotations

from typing import Any

import h2.connection
import h2.errors
import h2.events
import httpx

_PING = b"tchlwake"


def _inside(response: httpx.Response) -> tuple[Any, int, Any] | None:
    """The httpcore connection, stream id and request behind an HTTP/2 response."""
    stream: Any = response.stream
    for name in ("_stream", "_httpcore_stream", "_stream"):
        stream = getattr(stream, name, None)
    connection = getattr(stream, "_connection", None)
    if isinstance(getattr(connection, "_h2_state", None), h2.connection.H2Connection):
        return connection, stream._stream_id, stream._request
    return None


def reset_stream(response: httpx.Response) -> bool:
    """Tell the server that the rest of a response is not wanted; call it in the thread that reads it.

    Returns:
        Whether the connection stays usable. False: not HTTP/2, or not possible; drop the connection.
    """
    return _reset(response, wake=False)


def wake_reader(response: httpx.Response) -> bool:
    """End a read that another thread is blocked in, by resetting its stream and asking for a PING back.

    The blocked thread gets a `RemoteProtocolError` for its own stream within one round trip; other streams
    of the connection go on.

    Returns:
        Whether that was possible.
    """
    return _reset(response, wake=True)


def _reset(response: httpx.Response, *, wake: bool) -> bool:
    found = _inside(response)
    if found is None:
        return False
    connection, stream_id, request = found
    try:
        # what was received but not read yet still counts against the connection's window
        for event in connection._events.get(stream_id, []):
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                connection._h2_state.acknowledge_received_data(event.flow_controlled_length, stream_id)
        connection._h2_state.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        if wake:
            connection._events.setdefault(stream_id, []).append(h2.events.StreamReset(stream_id=stream_id))
            connection._h2_state.ping(_PING)
        connection._write_outgoing_data(request)
    except Exception:  # noqa: BLE001 - any failure here means one thing: this connection is done for
        return False
    return True
