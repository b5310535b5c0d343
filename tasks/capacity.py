"""How soon a challenge that came now would be answered: what the workers say of themselves in Redis.

The parent of each worker that takes challenges keeps a record up to date (`tasks.capacity_report`). Front
ends read all records with the length of the queue; a worker whose record is old does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

CAPACITY_KEY: Final = "touchline:capacity"
"""Hash: the worker's name -> `WorkerCapacity`."""
STALE_S: Final = 3.0
"""Seconds after which a record does not count any more; it is written twice a second."""
FIRST_GUESS_S: Final = 2.0
"""Seconds that a challenge takes where none has been answered yet."""


class WorkerCapacity(msgspec.Struct, frozen=True):
    """One worker.

    Attributes:
        at: When this was written, by Redis's clock.
        children: Warm child processes that take challenges.
        busy: How many of them work on one.
        seconds: What its latest challenges took, in the mean; None while it has answered none.
    """

    at: float
    children: int
    busy: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """All workers together.

    Attributes:
        workers: How many take challenges.
        children: Their warm child processes.
        busy: How many of these work on a challenge.
        seconds: What the latest challenges took, in the mean.
    """

    workers: int = 0
    children: int = 0
    busy: int = 0
    seconds: float = FIRST_GUESS_S

    def wait_s(self, waiting: int) -> float | None:
        """Seconds until a child begins a challenge that comes now; None where no worker takes challenges.

        Args:
            waiting: Challenges in the queue.
        """
        if not self.children:
            return None
        if not waiting and self.busy < self.children:
            return 0.0
        # those that are worked on are half done in the mean
        return (waiting + self.busy / 2) / self.children * self.seconds

    def expected_s(self, waiting: int) -> float | None:
        """Seconds until its answer, if it takes as long as the latest; None where no worker takes challenges.

        Args:
            waiting: Challenges in the queue.
        """
        wait_s = self.wait_s(waiting)
        return None if wait_s is None else wait_s + self.seconds


def read_capacity(records: Mapping[Any, Any], now: float) -> Capacity:
    """All workers whose record is fresh.

    Args:
        records: The content of `CAPACITY_KEY`.
        now: By Redis's clock, seconds since 1970.
    """
    fresh = [one for one in _decoded(records.values()) if now - one.at < STALE_S and one.children]
    known = [(one.seconds, one.children) for one in fresh if one.seconds is not None]
    weight = sum(children for _, children in known)
    seconds = sum(one * children for one, children in known) / weight if weight else FIRST_GUESS_S
    return Capacity(len(fresh), sum(one.children for one in fresh), sum(one.busy for one in fresh), seconds)


def stale_workers(records: Mapping[Any, Any], now: float, age_s: float) -> list[Any]:
    """The workers whose record is older than some seconds, or cannot be read."""
    found = []
    for worker, data in records.items():
        record = next(iter(_decoded([data])), None)
        if record is None or now - record.at > age_s:
            found.append(worker)
    return found


def _decoded(records: Iterable[Any]) -> list[WorkerCapacity]:
    """The records that can be read: another version may have written one."""
    found = []
    for data in records:
        try:
            found.append(msgspec.json.decode(data, type=WorkerCapacity))
        except msgspec.MsgspecError:
            continue
    return found
