"""The status page of the gateway."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway.status_page import StatusPage, status_html
from services.settings import Settings, load_settings
from tasks.child_report import ChildReport, PoolReport
from tasks.overview import Overview
from tasks.queue_state import QueueState
from tasks.recent import Recent

POOL = PoolReport([{"origin": "o"}], [{"open": 24}], 25, 10, 9, 90.0)
GOOD = {"challenge_id": "<c-1>", "kind": "gsr", "result": "complete", "total_ms": 900, "queue_ms": 100.0}
BAD = {"challenge_id": "c-2", "error": "ConnectFailed", "stage": "connect", "total_ms": 5}
SEEN = Overview(
    {"w@host": [ChildReport(7, 99.0, POOL, answered=3, failed=1, state="busy", detail="cuda:0")]},
    QueueState(2, 1.25),
    [Recent(98.0, "host", GOOD), Recent(97.0, "host", BAD)],
)


def test_the_page_shows_workers_queue_and_challenges_without_javascript() -> None:
    page = status_html(SEEN, load_settings(), 100.0)
    for part in ("2 challenges wait", "cuda:0", "busy", "1 + 24", "90 %", "10 s ago", "&lt;c-1&gt;"):
        assert part in page
    assert "ConnectFailed in connect" in page
    assert 'class="queue" style="width:10.00%"' in page
    assert "<script" not in page
    assert "<c-1>" not in page


def test_what_is_missing_is_said() -> None:
    assert "no worker answers" in status_html(Overview(), load_settings(), 0.0)
    away = status_html(Overview(problem="Redis cannot be reached: <refused>"), load_settings(), 0.0)
    assert "&lt;refused&gt;" in away


@pytest.mark.parametrize(
    ("setting", "client", "allowed"),
    [
        ("local", "127.0.0.1", True),
        ("local", "172.18.0.1", True),
        ("local", "8.8.8.8", False),
        ("local", "", False),
        ("all", "8.8.8.8", True),
        ("off", "127.0.0.1", False),
    ],
)
def test_who_may_see_it(setting: str, client: str, allowed: bool) -> None:
    assert StatusPage(load_settings(status_page=setting)).may_see(client) is allowed


def test_many_views_are_one_look() -> None:
    looks = []

    def look(settings: Settings) -> Overview:
        looks.append(settings)
        return SEEN

    async def view() -> list[str]:
        page = StatusPage(load_settings(), look)
        return await asyncio.gather(*(page.html() for _ in range(5)))

    assert len(asyncio.run(view())) == 5
    assert len(looks) == 1
