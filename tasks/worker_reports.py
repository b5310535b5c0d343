"""Asking the workers for what their child processes hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.errors import QueueUnavailable
from services.redis_connection import connect

if TYPE_CHECKING:
    from services.settings import Settings
    from tasks.child_report import ChildReport

ANSWER_S = 1.5
"""Seconds that workers get to answer: their parent does so at once, and the way through Redis is short."""


def worker_reports(settings: Settings, timeout_s: float = ANSWER_S) -> dict[str, list[ChildReport]]:
    """The children of every worker that answers, by the worker's name.

    Raises:
        QueueUnavailable: Redis cannot be reached.
    """
    import kombu.exceptions
    import msgspec
    import redis

    from tasks.celery_app import make_app
    from tasks.child_report import COMMAND, ChildReport

    try:
        with connect(settings.broker_url, socket_connect_timeout=2.0, socket_timeout=2.0) as it:
            it.ping()
        with make_app(settings) as app:
            replies: Any = app.control.broadcast(COMMAND, reply=True, timeout=timeout_s) or []
    except (redis.exceptions.RedisError, kombu.exceptions.OperationalError, OSError) as error:
        raise QueueUnavailable(f"Redis cannot be reached, so no worker can be asked: {error}") from error
    return {
        name: msgspec.convert(children, list[ChildReport])
        for reply in replies
        for name, children in reply.items()
        if isinstance(children, list)  # a worker of an older version does not know the command
    }
