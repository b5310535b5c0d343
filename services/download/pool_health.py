"""What a connection pool holds, for health checks and `touchline doctor`."""

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
class PoolHealth:
    """State of the pool.

    Attributes:
        connections: The open connections.
        opened: TCP connections opened since the process began.
        requests: Requests sent.
        reused: Requests that went out on a connection that was there already.
        last_warm_s: Seconds since the last successful `warmup`, or None.
    """

    connections: tuple[ConnectionInfo, ...]
    opened: int
    requests: int
    reused: int
    last_warm_s: float | None
