"""Waiting for a worker while Redis goes away and comes back."""

from __future__ import annotations

import pytest

from services.errors import StartFailed
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from tasks.client import submit
from tasks.worker_process import WorkerProcess

pytestmark = pytest.mark.integration


def test_a_restarted_redis_costs_the_process_no_later_connection() -> None:
    def wait_once() -> None:
        """Ask once for a worker that is not there."""
        with pytest.raises(StartFailed, match="not ready"):
            absent.wait_until_ready(0.0)

    with EmbeddedValkey(free_port()) as server:
        absent = WorkerProcess(server.url, {}, name="absent")
        absent.check = lambda: None  # type: ignore[method-assign]
        absent.tail = str  # type: ignore[method-assign]
        wait_once()
        server.close()
        server.start()
        wait_once()
        wait_once()
        submit("https://example.org/clip.mp4", redis_url=server.url, deadline_s=5)
