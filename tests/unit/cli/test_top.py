"""What `touchline top` prints."""

from __future__ import annotations

import io

from rich.console import Console

from services.cli.top import render
from tasks.child_report import ChildReport, PoolReport
from tasks.overview import Overview
from tasks.queue_state import QueueState
from tasks.recent import Recent, decode_recent

POOL = PoolReport([{"origin": "o"}], [{"open": 24}], 25, 10, 9, 90.0)


def text(found: Overview) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(render(found, now=100.0))
    return out.getvalue()


def test_workers_queue_and_challenges_are_shown() -> None:
    child = ChildReport(7, 99.0, POOL, answered=3, failed=1, state="ready", detail="cuda:0")
    good = Recent(98.0, "host", {"challenge_id": "c-1", "kind": "gsr", "result": "complete", "total_ms": 810})
    bad = Recent(97.0, "host", {"challenge_id": "c-2", "error": "ConnectFailed", "stage": "connect"})
    shown = text(Overview({"w@host": [child]}, QueueState(2, 1.25), [good, bad]))
    for part in ("2 waiting", "1.2 s", "cuda:0", "1 + 24", "90 %", "10 s ago", "810"):
        assert part in shown
    assert "ConnectFailed in connect" in shown


def test_no_worker_and_no_redis_are_said() -> None:
    assert "no worker answers" in text(Overview())
    assert "Redis cannot be reached" in text(Overview(problem="Redis cannot be reached: refused"))


def test_challenges_of_another_version_are_left_out() -> None:
    assert decode_recent([b"{}", b"nonsense"]) == []
