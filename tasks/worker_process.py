"""A worker as a part of `touchline up` and `touchline demo`: started, and waited for until it is warm."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping

from services.errors import StartFailed
from services.processes.supervised import Listener, SupervisedProcess, quiet

STOP_GRACE_S = 40.0
"""More than the default deadline: a challenge that is being worked on is finished first."""


def command(*words: str) -> list[str]:
    """The argv of a `touchline` subcommand in this Python."""
    return [sys.executable, "-P", "-m", "services.cli.main", *words]


class WorkerProcess(SupervisedProcess):
    """A Celery worker on a Redis.

    Args:
        redis_url: The Redis that it takes challenges from.
        env: Further settings.
        listener: Gets its log lines.
        name: Its node name, for pings.
    """

    def __init__(
        self,
        redis_url: str,
        env: Mapping[str, str] | None = None,
        listener: Listener = quiet,
        name: str | None = None,
    ) -> None:
        node = name or f"touchline-{os.getpid()}"
        self.node = f"{node}@{socket.gethostname()}"
        self.redis_url = redis_url
        super().__init__(
            "worker",
            command("worker", "--name", node),
            {"REDIS_URL": redis_url, **(env or {})},
            listener,
            STOP_GRACE_S,
        )

    def wait_until_ready(self, timeout_s: float, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Wait until it consumes, which it does only when its models are warm.

        Args:
            timeout_s: The longest wait.
            cancelled: Ends the waiting when it says so.

        Raises:
            StartFailed: It ended, or was not ready in time; the text has its last lines.
        """
        end = time.monotonic() + timeout_s
        while not cancelled():
            self.check()
            if _answers(self.redis_url, self.node):
                return
            if time.monotonic() > end:
                raise StartFailed(f"the worker was not ready within {timeout_s:.0f} s:\n{self.tail()}")


def _answers(redis_url: str, node: str) -> bool:
    """Whether a worker answers a ping; a connection that breaks is one more reason to ask again.

    It takes a connection of its own: a server that was restarted must not cost the pool of this process's
    other apps anything.
    """
    from redis.exceptions import ConnectionError as RedisConnectionError

    from services.settings import load_settings
    from tasks.celery_app import make_app

    try:
        with make_app(load_settings(redis_url=redis_url)) as app, app.connection_for_write() as connection:
            mailbox = app.control.mailbox(connection)
            mailbox.producer_pool = None
            return bool(mailbox.call([node], "ping", timeout=0.5))
    except (RedisConnectionError, OSError):
        return False
