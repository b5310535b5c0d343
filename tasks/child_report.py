"""What each child process of a worker tells about itself, for metrics, `touchline pool` and other views.

A child keeps one file, `STATE_DIR/report-<pid>.json`, which it writes after each round of the keep-warm
thread and each challenge. The worker's parent reads the files, and answers the inspect command
`touchline_report` with them.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import msgspec
from celery.worker.control import inspect_command

from services.download.pool_health import PoolHealth
from services.settings import get_settings
from tasks import ready

COMMAND: Final = "touchline_report"
"""Name of the inspect command."""


class PoolReport(msgspec.Struct, frozen=True):
    """A child's connection pool; moments are in seconds since 1970.

    Attributes:
        connections: Open connections: origin, protocol, whether idle, description.
        range_connections: Range connections by origin: how many are open, round-trip time, whether refused.
        opened: TCP connections opened since the process began.
        requests: Requests sent over the pool's connections.
        reused: Those of them that found their connection open.
        warmed_at: When connections were warmed last; None: never.
    """

    connections: list[dict[str, Any]]
    range_connections: list[dict[str, Any]]
    opened: int
    requests: int
    reused: int
    warmed_at: float | None


class ChildReport(msgspec.Struct, frozen=True):
    """One child process.

    Attributes:
        pid: Its process id.
        at: When it wrote this, in seconds since 1970.
        pool: Its connections; None before the first round.
        answered: Challenges it has answered.
        failed: Challenges that ended with an error in it.
        seconds: What its latest challenges took, in the mean; None while it has answered none.
        state: `warming`, `ready`, `busy` or `failed`, when it was read.
        detail: The device, or the reason of a failure.
    """

    pid: int
    at: float
    pool: PoolReport | None = None
    answered: int = 0
    failed: int = 0
    seconds: float | None = None
    state: str = ""
    detail: str = ""


def pool_report(health: PoolHealth) -> PoolReport:
    """A pool's health in the form of a report."""
    warmed_at = None if health.last_warm_s is None else time.time() - health.last_warm_s
    return PoolReport(
        connections=[asdict(connection) for connection in health.connections],
        range_connections=[asdict(info) for info in health.range_connections],
        opened=health.opened,
        requests=health.requests,
        reused=health.reused,
        warmed_at=warmed_at,
    )


def write_report(health: PoolHealth | None, answered: int, failed: int, seconds: float | None = None) -> None:
    """Write the report of this process; the arguments are the attributes of `ChildReport`."""
    report = ChildReport(
        os.getpid(), time.time(), None if health is None else pool_report(health), answered, failed, seconds
    )
    path = _path(os.getpid())
    path.parent.mkdir(parents=True, exist_ok=True)
    # the keep-warm thread and the one that works on challenges write at the same time
    fresh = path.with_name(f".{path.name}.{threading.get_ident()}")
    fresh.write_bytes(msgspec.json.encode(report))
    fresh.replace(path)


def read_reports() -> list[ChildReport]:
    """The reports of all children of this machine's worker that live, by process id."""
    folder = Path(get_settings().state_dir)
    found = []
    for marker in sorted(folder.glob("child-*")):
        pid = marker.name.removeprefix("child-")
        if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
            continue
        state, detail = ready.read_state(int(pid))
        try:
            report = msgspec.json.decode(_path(int(pid)).read_bytes(), type=ChildReport)
        except (FileNotFoundError, msgspec.MsgspecError):
            # it has not come so far yet, or another version wrote it
            report = ChildReport(int(pid), time.time())
        found.append(msgspec.structs.replace(report, state=state, detail=detail))
    return found


def remove_report(pid: int) -> None:
    """Take a report away with its process."""
    _path(pid).unlink(missing_ok=True)


def _path(pid: int) -> Path:
    return Path(get_settings().state_dir) / f"report-{pid}.json"


@inspect_command(name=COMMAND)
def touchline_report(state: Any, **_: Any) -> list[dict[str, Any]]:
    """The children of this worker; answered by the worker's parent, also while they are busy."""
    return [msgspec.to_builtins(report) for report in read_reports()]
