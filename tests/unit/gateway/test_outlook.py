"""Whether a challenge that comes now is taken: what waits, and how long workers take."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
import redis.asyncio

from services.gateway.outlook import Outlook
from services.settings import load_settings

SETTINGS = load_settings(gateway_deadline_s=30, gateway_reserve_s=2)


class Queue:
    """Stands for Redis: knows how many challenges wait."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting

    async def llen(self, _name: str) -> int:
        return self._waiting


async def too_long(waiting: int, timelines: list[dict[str, object]]) -> bool:
    outlook = Outlook(SETTINGS, cast("redis.asyncio.Redis", Queue(waiting)), lambda: 1)
    watch = asyncio.create_task(outlook.watch())
    while not outlook.workers:
        await asyncio.sleep(0.001)
    watch.cancel()
    for timeline in timelines:
        outlook.answered(timeline)
    return await outlook.too_long()


@pytest.mark.parametrize(("waiting", "refused"), [(0, False), (13, False), (15, True)])
def test_two_seconds_a_challenge_until_it_is_known_better(waiting: int, refused: bool) -> None:
    assert asyncio.run(too_long(waiting, [])) is refused


def test_workers_that_turn_out_slow_take_fewer() -> None:
    assert asyncio.run(too_long(7, [{"total": 6.0}] * 20))


def test_what_a_challenge_waited_in_the_queue_is_not_counted_as_work() -> None:
    waited = {"total": 1.0, "stages": {"queue": {"start": -20.0, "end": 0.0, "busy": 20.0}}}
    assert not asyncio.run(too_long(20, [waited] * 20))


def test_an_answer_without_a_timeline_changes_nothing() -> None:
    assert asyncio.run(too_long(15, [{}] * 20))
    assert not asyncio.run(too_long(13, [{}] * 20))
