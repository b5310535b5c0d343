"""What a connection pool holds, for health checks, metrics and `touchline pool`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One open connection: its origin, protocol, whether a request is on it, and what the pool says of it."""

    origin: str
    protocol: str
    idle: bool
    description: str


@dataclass(frozen=True, slots=True)
class RangeConnectionsInfo:
    """The range connections to one origin.

    Attributes:
        origin: Where they lead to, as a URL.
        open: How many are open.
        round_trip_s: Round-trip time of the latest touches in seconds; 0 when it is not known.
        refused: Whether the origin does not answer ranges, so that there are none.
    """

    origin: str
    open: int
    round_trip_s: float
    refused: bool


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """State of the pool.

    Attributes:
        connections: The open connections.
        opened: TCP connections opened since the process began.
        requests: Requests sent.
        reused: Requests that went out on a connection that was there already.
        last_warm_s: Seconds since the last successful `warmup`, or None.
        range_connections: The range connections, by origin.
    """

    connections: tuple[ConnectionInfo, ...]
    opened: int
    requests: int
    reused: int
    last_warm_s: float | None
    range_connections: tuple[RangeConnectionsInfo, ...] = ()
