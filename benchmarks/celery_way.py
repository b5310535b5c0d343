"""Ours as a front end has it: submitted to a real worker on a real Valkey, to the bytes at the caller."""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import ExitStack
from urllib.parse import urlsplit

from benchmarks.job import Context, Job, Row
from benchmarks.our_ways import row_of

START_TIMEOUT_S = 180.0


class OursCelery:
    """Valkey and a worker, kept over the rounds; the worker keeps the origin warm by itself."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stack = ExitStack()
        self._started = False

    def run(self, job: Job) -> Row:
        """Submit and await."""
        from tasks.client import submit

        if not self._started:
            self._start(job)
            self._started = True
        time.sleep(job.idle_s)
        begin = time.perf_counter()
        name = f"bench-{uuid.uuid4().hex[:12]}"
        answer = submit(job.url, challenge_id=name, deadline_s=120, redis_url=self._valkey.url).wait()
        total = time.perf_counter() - begin
        row = row_of(answer.timeline, total, answer.body)
        # the worker's clock starts when it takes the challenge
        queued = -answer.timeline["stages"].get("queue", {}).get("start", 0.0)
        return {
            key: value + queued if key.endswith("_s") and key != "answer_s" else value
            for key, value in row.items()
        }

    def _start(self, job: Job) -> None:
        from services.cli.embedded_valkey import EmbeddedValkey
        from services.cli.worker_part import WorkerPart

        self._valkey = self._stack.enter_context(EmbeddedValkey())
        parts = urlsplit(job.url)
        env = {
            "CA_FILE": self._context.ca_file,
            "DEVICE": self._context.device,
            "ALLOW_PRIVATE_ADDRESSES": "1",
            "ORIGINS": f"{parts.scheme}://{parts.netloc}/",
            "CONNECT_TIMEOUT_S": "15",
            "STALL_TIMEOUT_S": "15",
            "STATE_DIR": self._stack.enter_context(tempfile.TemporaryDirectory(prefix="touchline-bench-")),
        }
        worker = self._stack.enter_context(WorkerPart(self._valkey.url, env))
        worker.wait_until_ready(START_TIMEOUT_S)

    def close(self) -> None:
        """Stop worker and Valkey."""
        self._stack.close()
