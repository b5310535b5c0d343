"""Touchline as a front end uses it: a challenge is submitted to a real worker through a Valkey server."""

from __future__ import annotations

import time

from touchline_lab.benchmarks.job import Context, Job, Row
from touchline_lab.benchmarks.system import System
from touchline_lab.benchmarks.touchline_methods import row_of


class TouchlineThroughCelery:
    """A Valkey server and a worker that live through all rounds; the worker keeps the origin warm by itself.

    Args:
        context: Origin and device.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._system: System | None = None

    def run(self, job: Job) -> Row:
        """Submit a challenge and wait for its answer."""
        if self._system is None:
            system = System(job.url, self._context.ca_file, device=self._context.device)
            self._system = system.__enter__()
        time.sleep(job.idle_s)
        found = self._system.answer(job.url)
        row = row_of(found.timeline, found.wall_s, found.body)
        return {
            key: value + found.queue_s if key.endswith("_s") and key != "answer_s" else value
            for key, value in row.items()
        }

    def close(self) -> None:
        """Stop worker and Valkey."""
        if self._system is not None:
            self._system.__exit__(None, None, None)
