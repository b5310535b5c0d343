"""What a view of the whole system shows, asked at once: workers, pools, queue, recent challenges."""

from __future__ import annotations

from dataclasses import dataclass, field

import redis

from services.errors import QueueUnavailable
from services.redis_connection import connect
from services.settings import Settings
from tasks.child_report import ChildReport
from tasks.queue_state import QueueState, queue_state
from tasks.recent import KEY, Recent, decode_recent
from tasks.worker_reports import worker_reports


@dataclass(frozen=True, slots=True)
class Overview:
    """The system at one moment.

    Attributes:
        workers: The children of each worker that answered, by the worker's name.
        queue: The queue.
        recent: The latest challenges, the latest first.
        problem: Why nothing could be asked; empty when it could.
    """

    workers: dict[str, list[ChildReport]] = field(default_factory=dict)
    queue: QueueState = QueueState(0, 0.0)
    recent: list[Recent] = field(default_factory=list)
    problem: str = ""


def overview(settings: Settings, timeout_s: float = 1.0) -> Overview:
    """Ask Redis and the workers; `problem` tells what could not be asked.

    Args:
        settings: Redis and the queue.
        timeout_s: Seconds that the workers get to answer.
    """
    try:
        with connect(settings.broker_url, socket_connect_timeout=2.0, socket_timeout=2.0) as connection:
            queue = queue_state(connection, settings.queue_name)
            items: list[bytes] = connection.lrange(KEY, 0, -1)
        return Overview(worker_reports(settings, timeout_s), queue, decode_recent(items))
    except (redis.exceptions.RedisError, OSError, QueueUnavailable) as error:
        return Overview(problem=f"Redis cannot be reached: {error}")
