"""A worker process's connection to Redis, and scripts that run there in one step."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import redis

from services.redis_connection import connect
from services.settings import get_settings


@lru_cache(maxsize=1)
def connection() -> redis.Redis:
    """The connection of this worker process, for all of its threads."""
    # redis-py has a 5 s time-out with retries by default; a reply is worth waiting for
    return connect(get_settings().broker_url, socket_timeout=30, health_check_interval=10)


class Script:
    """A Lua script that Redis runs without anything in between.

    The script finds what it is called with by name in the table `given`, and the bytes in `data`.

    Args:
        text: The script.
    """

    def __init__(self, text: str) -> None:
        self._text = f"local given, data = cjson.decode(ARGV[1]), ARGV[2]\n{text}"

    def run(self, data: bytes = b"", **given: Any) -> Any:
        """Run it.

        Args:
            data: Bytes, which need not be text.
            given: Everything else: texts, whole numbers, truth values, and tables of them.

        Returns:
            What the script returns.

        Raises:
            redis.exceptions.RedisError, OSError: Redis does not answer, or has no room.
        """
        return connection().eval(self._text, 0, msgspec.json.encode(given), data)
