"""Ready means ready: the worker consumes, answers pings and reports ready only when its children are warm.

Each child keeps one small file, `STATE_DIR/child-<pid>`, whose first word is its state: `warming`, `ready`,
`busy` (with the device behind it) or `failed` (with the reason). Health checks read these files in
milliseconds, where `celery inspect ping` takes seconds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from celery import bootsteps

from services.settings import get_settings

WARMING, READY, BUSY, FAILED = "warming", "ready", "busy", "failed"


class _Parent:
    """What the worker's parent knows, and a child inherits when it is forked."""

    was_warm = False
    pool: Any = None


def is_replacement() -> bool:
    """Whether this child takes the place of one that has ended: the worker was warm when it was forked."""
    return _Parent.was_warm


def has_room(taken: int) -> bool:
    """Whether a child can begin another challenge now.

    A child that takes the place of one that ended loads its models first. Meanwhile challenges are left to
    the other children and to other workers. Spare children are for those that end: they add nothing.

    Args:
        taken: Challenges that this worker has taken and not finished.
    """
    return _Parent.pool is None or taken < count_children()[0]


def count_children() -> tuple[int, int]:
    """The warm children of this worker that take challenges, and how many of them work on one."""
    pool = _Parent.pool
    if pool is None:
        return 0, 0
    states = [read_state(process.pid)[0] for process in tuple(pool._pool)]
    working: int = pool._processes - get_settings().spare_children
    warm = min(states.count(READY) + states.count(BUSY), working)
    return warm, min(states.count(BUSY), warm)


def marker_path(pid: int) -> Path:
    """Where the child with that process id keeps its state."""
    return Path(get_settings().state_dir) / f"child-{pid}"


def write_state(state: str, detail: str = "") -> None:
    """Set the state of this process."""
    path = marker_path(os.getpid())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(f"{state} {detail}".strip() + "\n")
    fresh.replace(path)


def read_state(pid: int) -> tuple[str, str]:
    """State and detail of a child; `warming` while it has written nothing."""
    try:
        text = marker_path(pid).read_text().strip()
    except FileNotFoundError:
        return WARMING, ""
    state, _, detail = text.partition(" ")
    return state or WARMING, detail


def forget_dead() -> None:
    """Remove the files of processes that are gone."""
    for path in Path(get_settings().state_dir).glob("child-*"):
        pid = path.name.removeprefix("child-")
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)
            path.with_name(f"report-{pid}.json").unlink(missing_ok=True)


class WaitUntilWarm(bootsteps.StartStopStep):
    """Holds the worker's start between the pool and the consumer until every child is warm."""

    # metrics are served meanwhile: they tell who is still warming up
    requires = ("celery.worker.components:Pool", "tasks.metrics_endpoint:ServeMetrics")

    def start(self, worker: Any) -> None:
        """Wait; a child that failed, or that takes too long, ends the worker with the reason.

        Raises:
            SystemExit: With a message that says what to do.
        """
        forget_dead()
        limit = get_settings().worker_start_timeout_s
        end = time.monotonic() + limit
        children = [process.pid for process in worker.pool._pool._pool]
        while True:
            states = {pid: read_state(pid) for pid in children}
            for pid, (state, detail) in states.items():
                if state == FAILED:
                    self._give_up(worker, f"worker child {pid} cannot start: {detail}")
                if not Path(f"/proc/{pid}").exists():
                    self._give_up(worker, f"worker child {pid} died while it was warming up")
            if all(state in (READY, BUSY) for state, _ in states.values()):
                _Parent.was_warm = True
                _Parent.pool = worker.pool._pool
                return
            if time.monotonic() > end:
                self._give_up(worker, f"not warm within {limit} s (WORKER_START_TIMEOUT_S)")
            time.sleep(0.02)

    def stop(self, worker: Any) -> None:
        """Take the markers away with the worker."""
        for process in getattr(worker.pool._pool, "_pool", []):
            marker_path(process.pid).unlink(missing_ok=True)

    def _give_up(self, worker: Any, why: str) -> None:
        worker.pool.terminate()
        raise SystemExit(f"touchline: {why}")
