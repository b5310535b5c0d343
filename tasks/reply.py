"""The worker's way back: reply bytes into a Redis list that the submitter waits on, and the claim per id."""

from __future__ import annotations

from functools import lru_cache

import redis

from services.settings import get_settings
from services.wire.reply import claim_key, reply_key


@lru_cache(maxsize=1)
def _connection() -> redis.Redis:
    # redis-py 8 has a 5 s time-out with retries by default; a reply is worth waiting for
    return redis.Redis.from_url(get_settings().broker_url, socket_timeout=30, health_check_interval=10)


def publish(token: str, data: bytes) -> None:
    """Hand a reply to whoever waits for `token`; it is kept REPLY_TTL_S seconds."""
    with _connection().pipeline(transaction=False) as pipe:
        pipe.lpush(reply_key(token), data)
        pipe.expire(reply_key(token), get_settings().reply_ttl_s)
        pipe.execute()


def claim(challenge_id: str, owner: str) -> bool:
    """Take a challenge id for one task; False when another task has it. The same owner may take it again."""
    key = claim_key(challenge_id)
    taken = _connection().set(key, owner, nx=True, ex=get_settings().reply_ttl_s)
    return bool(taken) or _connection().get(key) == owner.encode()


def release(challenge_id: str) -> None:
    """Give an id free after a failure, so that the challenge may be sent again."""
    _connection().delete(claim_key(challenge_id))
