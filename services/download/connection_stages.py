"""Connection set-up as stages of a timeline."""

from __future__ import annotations

from services.download.connection_setup import REUSED, ConnectionSetup
from services.timeline import Timeline


def note_connection(
    timeline: Timeline, begun: float, setup: ConnectionSetup = REUSED, total_s: float = 0.0
) -> None:
    """Add `connect` and its steps `dns`, `tcp` and `tls`; all are zero for a connection that was open.

    Args:
        timeline: Gets the stages, and the fact `alpn` for a new connection.
        begun: When opening began, as of `timeline.now()`.
        setup: The steps.
        total_s: Seconds that opening took.
    """
    timeline.add("connect", begun, begun + total_s)
    at = begun
    for stage, seconds in (("dns", setup.dns_s), ("tcp", setup.tcp_s), ("tls", setup.tls_s)):
        timeline.add(stage, at, at + seconds)
        at += seconds
    if setup.alpn:
        timeline.note(alpn=setup.alpn)
