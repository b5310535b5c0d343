"""The worker's parent tells front ends how many challenges it can take (`tasks.capacity`)."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any, Final

import msgspec
import redis
from celery import bootsteps
from celery.worker import state

from services.redis_connection import connect
from services.settings import get_settings
from tasks import ready
from tasks.capacity import CAPACITY_KEY, WorkerCapacity, stale_workers
from tasks.child_report import read_reports
from tasks.identity import worker_name

log = logging.getLogger(__name__)

EVERY_S: Final = 0.5
"""Seconds between two reports."""
TIDY_S: Final = 60.0
"""Seconds between two looks for records of workers that are gone."""
FORGOTTEN_S: Final = 3600.0
"""Seconds after which the record of a worker that no longer writes it is removed."""
ANSWER_S: Final = 1.0
"""Seconds that Redis gets to answer."""


def own_capacity(at: float) -> WorkerCapacity:
    """What this worker can take now."""
    warm, busy = ready.count_children()
    means = [report.seconds for report in read_reports() if report.seconds is not None]
    return WorkerCapacity(at, warm, busy, sum(means) / len(means) if means else None)


def report(client: redis.Redis, worker: str) -> None:
    """Write this worker's record once.

    Raises:
        redis.exceptions.RedisError, OSError: Redis is away.
    """
    seconds, microseconds = client.time()
    record = own_capacity(seconds + microseconds / 1e6)
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(CAPACITY_KEY, worker, msgspec.json.encode(record).decode())
        pipe.expire(CAPACITY_KEY, int(FORGOTTEN_S))
        pipe.execute()


class ReportCapacity(bootsteps.StartStopStep):
    """Writes the record in a thread of the worker's parent, as long as it takes challenges."""

    requires = ("tasks.ready:WaitUntilWarm",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capacity", daemon=True)

    def start(self, worker: Any) -> None:
        """Begin when every child is warm."""
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """Take the record away, if that has not been done since the worker was told to stop."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(2 * ANSWER_S)

    def _run(self) -> None:
        name = worker_name()
        client = connect(
            get_settings().broker_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=None
        )
        with client:
            tidied, told = -TIDY_S, True
            while not _stops() and not self._ended.is_set():
                try:
                    report(client, name)
                    if time.monotonic() - tidied > TIDY_S:
                        _remove_forgotten(client)
                        tidied = time.monotonic()
                    told = True
                except (redis.exceptions.RedisError, OSError) as error:
                    if told:
                        log.warning("front ends cannot be told what this worker can take: %s", error)
                    told = False
                except Exception:
                    log.exception("what this worker can take is not known")
                self._ended.wait(EVERY_S)
            with suppress(redis.exceptions.RedisError, OSError):
                # without it the record counts for STALE_S more
                client.hdel(CAPACITY_KEY, name)


def _stops() -> bool:
    """Whether the worker was told to stop: it finishes what it has, and takes nothing more."""
    return state.should_stop is not None or state.should_terminate is not None


def _remove_forgotten(client: redis.Redis) -> None:
    """Remove the records of workers that ended without doing so."""
    seconds, _ = client.time()
    forgotten = stale_workers(client.hgetall(CAPACITY_KEY), float(seconds), FORGOTTEN_S)
    if forgotten:
        client.hdel(CAPACITY_KEY, *forgotten)
