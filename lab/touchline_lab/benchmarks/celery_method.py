"""Ours as a front end has it: submitted to a real worker on a real Valkey, to the bytes at the caller."""

from __future__ import annotations

import time

from touchline_lab.benchmarks.job import Context, Job, Row
from touchline_lab.benchmarks.system import System
from touchline_lab.benchmarks.touchline_methods import row_of


class OursCelery:
    """Valkey and a worker, kept over the rounds; the worker keeps the origin warm by itself."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._system: System | None = None

    def run(self, job: Job) -> Row:
        """Submit and await."""
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
