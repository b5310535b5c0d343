"""How many challenges wait in the queue, and for how long the oldest one has."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass

import msgspec
import redis


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue at one moment.

    Attributes:
        depth: Challenges that wait.
        oldest_s: Seconds since the oldest of them was submitted; 0 when none waits.
    """

    depth: int
    oldest_s: float


class _Message(msgspec.Struct):
    body: str


class _Submitted(msgspec.Struct):
    submitted_at: float = 0.0


_body = msgspec.json.Decoder(tuple[tuple[_Submitted, str], dict[str, object], dict[str, object]])


def queue_state(connection: redis.Redis, queue_name: str) -> QueueState:
    """Look at the queue without taking anything from it.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
    """
    with connection.pipeline(transaction=False) as pipe:
        pipe.llen(queue_name)
        pipe.lindex(queue_name, -1)
        depth, oldest = pipe.execute()
    return QueueState(int(depth), 0.0 if oldest is None else _age_s(bytes(oldest)))


def _age_s(message: bytes) -> float:
    """Seconds since a message was submitted; 0 for one that no front end of this project sent."""
    try:
        body = base64.b64decode(msgspec.json.decode(message, type=_Message).body)
        (challenge, _), _, _ = _body.decode(body)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return 0.0
    return max(0.0, time.time() - challenge.submitted_at) if challenge.submitted_at else 0.0
