"""Telling a caller that asked for it which stages of its challenge have begun."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from services.timeline import Timeline
from services.wire.progress import Progress, encode_progress, progress_channel
from tasks.worker_redis import connection

log = logging.getLogger(__name__)

JOIN_S = 0.1
"""Seconds that the last progress may take to be told before the answer is sent."""


@contextmanager
def progress_told(timeline: Timeline, token: str) -> Iterator[None]:
    """Publish each stage of a timeline that begins, from a thread: work does not wait for Redis."""
    waiting: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()

    def publish() -> None:
        while (progress := waiting.get()) is not None:
            try:
                connection().publish(progress_channel(token), encode_progress(progress))
            except (redis.exceptions.RedisError, OSError) as error:
                log.info("progress cannot be told: %s", error)
                return

    thread = threading.Thread(target=publish, name="progress", daemon=True)
    thread.start()
    timeline.on_stage = lambda stage, seconds: waiting.put(Progress(stage, round(seconds, 4)))
    try:
        yield
    finally:
        timeline.on_stage = None
        waiting.put(None)
        # the answer does not wait for a Redis that does not answer
        thread.join(JOIN_S)
