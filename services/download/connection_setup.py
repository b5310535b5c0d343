"""Where the time of opening one connection went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionSetup:
    """The steps of opening one connection, in seconds.

    The choice of the protocol (ALPN, RFC 7301) is part of the TLS handshake and has no time of its own.

    Attributes:
        dns_s: Looking up the name; next to nothing when the address is still in the cache.
        tcp_s: The TCP handshake, and that with a proxy.
        tls_s: The TLS handshake; 0 without TLS.
        address: The address that accepted, or that of the proxy.
        alpn: What the origin chose by ALPN, such as `h2`; empty when it chose nothing.
    """

    dns_s: float = 0.0
    tcp_s: float = 0.0
    tls_s: float = 0.0
    address: str = ""
    alpn: str = ""


REUSED = ConnectionSetup()
"""The set-up of a connection that was open already: no step takes any time."""
