"""Connections to Redis, by REDIS_URL: to one server, or to the primary that Sentinels name.

Behind Sentinel, each new connection asks which server is the primary. A connection whose server has become
a replica breaks like any other, so whoever connects again after a break follows a fail-over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from services.settings.redis_url import SentinelAddress, sentinel_address

if TYPE_CHECKING:
    import redis.asyncio
    import redis.sentinel

SENTINEL_OPTIONS: dict[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 0.5}
"""Seconds that one Sentinel gets before the next one is asked; all of them know the primary."""


def connect(url: str, **options: Any) -> redis.Redis:
    """A client for threads; it opens connections when they are needed.

    Args:
        url: An address that `check_redis_url` accepts.
        options: Options of redis-py's connections.
    """
    import redis

    address = sentinel_address(url)
    if address is None:
        return redis.Redis.from_url(url, **options)
    sentinels: Any = _sentinels(address.sentinels)
    client: redis.Redis = sentinels.master_for(address.name, **_server(address), **options)
    return client


def connect_async(
    url: str, *, max_connections: int = 0, turn_s: float = 0.0, **options: Any
) -> redis.asyncio.Redis:
    """A client for an event loop; it opens connections when they are needed.

    Args:
        url: As for `connect`.
        max_connections: Further callers wait for their turn; 0: no limit.
        turn_s: Seconds that they wait.
        options: Options of redis-py's connections.
    """
    import redis.asyncio

    # with RESP 3, redis-py 8 gives connections that the server has closed: one failed command each
    options = {"protocol": 2, **options}
    limit: dict[str, Any] = {"max_connections": max_connections, "timeout": turn_s} if max_connections else {}
    address = sentinel_address(url)
    if address is not None:
        from services.sentinel_pool import SentinelPool

        make: Any = redis.asyncio.Sentinel
        sentinels = make(address.sentinels, sentinel_kwargs=SENTINEL_OPTIONS)
        client: redis.asyncio.Redis = sentinels.master_for(
            address.name, connection_pool_class=SentinelPool, **_server(address), **limit, **options
        )
        return client
    if not limit:
        return redis.asyncio.Redis.from_url(url, **options)
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, **limit, **options)
    return redis.asyncio.Redis.from_pool(pool)


def _server(address: SentinelAddress) -> dict[str, Any]:
    return {"db": address.database, "username": address.username, "password": address.password}


@lru_cache(maxsize=8)
def _sentinels(addresses: tuple[tuple[str, int], ...]) -> redis.sentinel.Sentinel:
    """The Sentinels, with one connection to each that is kept."""
    import redis.sentinel

    make: Any = redis.sentinel.Sentinel
    sentinels: redis.sentinel.Sentinel = make(addresses, sentinel_kwargs=SENTINEL_OPTIONS)
    return sentinels
