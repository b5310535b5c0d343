"""A Valkey server and workers, as an operator runs them, and challenges submitted as a front end does."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from services.processes.embedded_valkey import EmbeddedValkey
from tasks.worker_process import WorkerProcess
from touchline_lab.benchmarks.meter import descendants, resident_mb

START_TIMEOUT_S = 300.0
"""Seconds that a worker may take to start and to warm its models."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One challenge as its caller saw it.

    Attributes:
        wall_s: Seconds from the submission until the caller had the bytes of the answer.
        queue_s: The part of these seconds before a worker took the challenge.
        body: The encoded answer.
        timeline: The timeline of the worker.
    """

    wall_s: float
    queue_s: float
    body: bytes
    timeline: dict[str, Any]

    @property
    def service_s(self) -> float:
        """The service time: seconds without the waiting for a worker."""
        return self.wall_s - self.queue_s


class System:
    """Running workers on one Valkey server; a context manager.

    Args:
        origin: Any URL of the origin, which the workers keep warm.
        ca_file: File of the certificate authority of the origin.
        workers: Number of workers.
        device: The setting `DEVICE`.
        env: Settings of the workers, by the names of their variables.
        deadline_s: Seconds from each submission to the deadline.
        cores: The processor core of each worker, so that workers do not slow each other down, as if each had
            a device of its own; None lets them use all cores.
    """

    def __init__(
        self,
        origin: str,
        ca_file: str,
        *,
        workers: int = 1,
        device: str = "cpu",
        env: Mapping[str, str] | None = None,
        deadline_s: float = 120.0,
        cores: Sequence[int] | None = None,
    ) -> None:
        parts = urlsplit(origin)
        self._env = {
            "CA_FILE": ca_file,
            "DEVICE": device,
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "ORIGINS": f"{parts.scheme}://{parts.netloc}/",
            "CONNECT_TIMEOUT_S": "15",
            "STALL_TIMEOUT_S": "15",
            # Celery must not deliver a message again to another worker while it is being worked on
            "DEFAULT_DEADLINE_S": f"{max(30.0, deadline_s):g}",
            **(env or {}),
        }
        self._workers = workers
        self._deadline_s = deadline_s
        self._cores = cores
        self._stack = ExitStack()
        self._worker_processes: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        try:
            self._valkey = self._stack.enter_context(EmbeddedValkey())
            for number in range(self._workers):
                self._start(number)
            for worker in self._worker_processes:
                worker.wait_until_ready(START_TIMEOUT_S)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, number: int) -> None:
        state = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-bench-"))
        worker = WorkerProcess(
            self._valkey.url, {**self._env, "STATE_DIR": state}, name=f"bench-{os.getpid()}-{number}"
        )
        self._worker_processes.append(worker)
        if self._cores is None:
            self._stack.enter_context(worker)
            return
        # a process inherits the cores of the thread that starts it
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._cores[number % len(self._cores)]})
        try:
            self._stack.enter_context(worker)
        finally:
            os.sched_setaffinity(0, before)

    def answer(self, url: str) -> Answered:
        """Submit one challenge and wait for its answer.

        Raises:
            ChallengeError: The challenge was not answered.
        """
        from tasks.client import submit

        begin = time.perf_counter()
        name = f"bench-{uuid.uuid4().hex[:12]}"
        found = submit(url, challenge_id=name, deadline_s=self._deadline_s, redis_url=self._valkey.url).wait()
        wall = time.perf_counter() - begin
        # the timeline of the worker begins when it takes the challenge; the queue lies before that
        queued = -float(found.timeline["stages"].get("queue", {}).get("start", 0.0))
        return Answered(wall, queued, found.body, found.timeline)

    def answer_at(self, url: str, times: Sequence[float]) -> list[Answered]:
        """Submit a challenge at each of the times (seconds from now, rising) and wait for all answers."""
        begin = time.perf_counter()
        with ThreadPoolExecutor(max(1, len(times)), "caller") as callers:
            waiting = []
            for at in times:
                time.sleep(max(0.0, begin + at - time.perf_counter()))
                waiting.append(callers.submit(self.answer, url))
            return [caller.result() for caller in waiting]

    def processes(self) -> list[int]:
        """Ids of all processes below the workers."""
        return [pid for worker in self._worker_processes for pid in descendants(worker.pid)]

    def children(self) -> list[int]:
        """Id of the process of each worker that holds the models: the one with the most memory."""
        return [max(descendants(worker.pid), key=resident_mb) for worker in self._worker_processes]
