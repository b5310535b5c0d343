"""Which worker has which challenge: a record for each message that is delivered and not yet acknowledged."""

from __future__ import annotations

from typing import Final

import msgspec

DELIVERIES_KEY: Final = "touchline:deliveries"
"""Hash: delivery tag -> `Delivery`."""
UNACKED_KEY: Final = "touchline:unacked"
"""Hash of kombu: delivery tag -> the message."""
UNACKED_INDEX_KEY: Final = "touchline:unacked-index"
"""Sorted set of kombu: delivery tag -> when it was delivered."""
UNACKED_MUTEX_KEY: Final = "touchline:unacked-mutex"
"""Lock of kombu around its search for messages whose visibility time-out has passed."""
_WORKER_PREFIX: Final = "touchline:worker:"


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """One challenge that a worker has.

    Attributes:
        worker: The name of the worker's parent.
        challenge_id: The challenge.
        token: Names the reply that the caller waits for.
        deadline: By Redis's clock, seconds since 1970.
    """

    worker: str
    challenge_id: str
    token: str
    deadline: float


def worker_key(worker: str) -> str:
    """The key that exists as long as a worker says that it lives."""
    return _WORKER_PREFIX + worker
