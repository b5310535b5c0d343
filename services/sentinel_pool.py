"""Connections of an event loop to the primary that Sentinels name."""

from __future__ import annotations

from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.sentinel import SentinelConnectionPool


class SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels for each new connection; callers beyond its limit wait for their turn."""

    async def aclose(self) -> None:
        """Close the connections, those to the Sentinels as well."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()
