"""A challenge whose worker dies is worked on by another one; one that ends by Celery's means has a reply."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from services.errors import Cancelled
from services.monitoring.metrics import QUEUE_EVENTS
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.process_tree import parent_of
from services.settings import load_settings
from services.wire.reply import Answer
from tasks.celery_app import make_app
from tasks.child_report import ChildReport
from tasks.client import submit
from tasks.worker_reports import worker_reports
from tests.support.processes import alive, wait_for
from tests.support.servers import WORKER_START_S, MakeWorker, warm_worker, worker_env
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.reliability.caller import submit_in_thread
from touchline_lab.reliability.rig import Rig

pytestmark = pytest.mark.integration
SLOW = "?delay=6&no_range=1&seen="
"""Something can be done meanwhile to whoever works on a clip."""
PATIENT = {"STALL_TIMEOUT_S": "60"}
DEADLINE_S = 85.0
"""Of challenges that a second process answers, which may have to load its models first."""


def holder(connection: redis.Redis, challenge_id: str) -> int:
    """The process that works on a challenge; 0: none."""
    found = connection.get(f"touchline:claim:{challenge_id}")
    return int(found.decode().rpartition(" ")[2]) if isinstance(found, bytes) else 0


@pytest.fixture
def connection(valkey: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


def begun(origin: DemoOrigin, name: str) -> int:
    """How often the download of a clip has begun: each begins with one request for the whole file."""
    seen = [item for item in origin.requests() if f"seen={name}" in item.query and item.method == "GET"]
    return [item.range for item in seen].count(None)


def test_a_challenge_outlives_the_parent_of_its_worker(
    make_worker: MakeWorker, connection: redis.Redis, origin: DemoOrigin, clip_url: str
) -> None:
    workers = [make_worker(name=f"touchline-{name}", ready=False, **PATIENT) for name in "ab"]
    for worker in workers:
        worker.wait_until_ready(WORKER_START_S)
    caller = submit_in_thread(clip_url + SLOW + "parent", workers[0].redis_url, "parent-dies", DEADLINE_S)
    assert wait_for(lambda: begun(origin, "parent") == 1)
    child = holder(connection, "parent-dies")

    os.kill(parent_of(child), signal.SIGKILL)

    assert wait_for(lambda: holder(connection, "parent-dies") not in (0, child))
    assert wait_for(lambda: not alive([child]))
    assert not caller.result().partial
    assert begun(origin, "parent") == 2
    assert wait_for(lambda: connection.exists("touchline:unacked", "touchline:deliveries") == 0)

    # and the one that is left alone serves on, also when Celery's own commands end its tasks
    revoked_while_it_waits(workers[0].redis_url, clip_url)


def test_a_spare_child_takes_the_challenge_of_the_one_that_is_lost(tmp_path: Path) -> None:
    with (
        Rig(tmp_path, 1, env={"SPARE_CHILDREN": "1"} | PATIENT) as rig,
        redis.Redis.from_url(rig.valkey.url) as own,
    ):
        (worker,) = rig.workers
        settings = load_settings(redis_url=rig.valkey.url)

        def children() -> list[ChildReport]:
            return worker_reports(settings, timeout_s=5.0)[worker.node]

        warm = {child.pid for child in children()}
        slow = rig.url("delay=15&no_range=1")
        callers = [rig.submit(name, slow, DEADLINE_S) for name in ("works", "waits")]
        assert wait_for(lambda: holder(own, "works") > 0)
        child = holder(own, "works")
        assert holder(own, "waits") == 0  # a spare child adds no capacity
        # a worker that takes nothing from the queue still answers commands
        assert sorted(child.state for child in children()) == ["busy", "ready"]

        os.kill(child, signal.SIGKILL)

        # which of the two it takes first is the queue's business; another child takes seconds to load
        assert wait_for(lambda: any(holder(own, name) not in (0, child) for name in ("works", "waits")))
        assert {holder(own, name) for name in ("works", "waits")} & (warm - {child})
        for caller in callers:
            caller.join(DEADLINE_S + 5)
        assert [caller.outcome for caller in callers] == ["answer", "answer"]


def test_what_befalls_messages_is_counted_by_parent_and_children(
    make_worker: MakeWorker, connection: redis.Redis, clip_url: str
) -> None:
    port = free_port()
    worker = make_worker(METRICS_PORT=str(port), **PATIENT)

    def counted(event: str) -> float:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60, trust_env=False).text
        (value,) = re.findall(rf'^touchline_queue_events_total{{event="{event}"}} (\S+)$', text, re.MULTILINE)
        return float(value)

    assert not any(map(counted, QUEUE_EVENTS))
    connection.lpush("touchline", b"{}")
    caller = submit_in_thread(clip_url + SLOW + "counted", worker.redis_url, "counted", DEADLINE_S)
    assert wait_for(lambda: holder(connection, "counted") > 0)

    os.kill(holder(connection, "counted"), signal.SIGKILL)

    assert not caller.result().partial
    assert wait_for(lambda: counted("set_aside") == counted("retried") == 1)
    assert counted("undelivered") == 0


def revoked_while_it_waits(redis_url: str, url: str) -> None:
    """A challenge that is worked on is terminated, the one behind it revoked."""
    with make_app(load_settings(redis_url=redis_url)) as app, redis.Redis.from_url(redis_url) as connection:
        first = submit_in_thread(url + SLOW + "terminated", redis_url, "terminated")
        assert wait_for(lambda: holder(connection, "terminated") > 0)
        second = submit_in_thread(url, redis_url, "revoked")
        app.control.revoke(second.submission.token, reply=True, timeout=5, limit=1)
        app.control.revoke(first.submission.token, terminate=True, signal="SIGKILL", reply=True, limit=1)
        with pytest.raises(Cancelled, match="terminated"):
            first.result()
        with pytest.raises(Cancelled, match="revoked"):
            second.result()


def test_a_redis_that_loses_its_data_costs_no_challenge(
    origin: DemoOrigin, clip_url: str, tmp_path: Path
) -> None:
    with EmbeddedValkey() as server:
        waiting = submit_in_thread(clip_url, server.url, "waits")
        server.close()
        server.restart()
        with warm_worker(server.url, worker_env(origin, tmp_path), "touchline-late"):
            assert not waiting.result().partial


@pytest.mark.usefixtures("forgotten_connections")
def test_a_redis_that_loses_its_data_costs_no_awaited_challenge(clip_url: str) -> None:
    async def awaited(url: str) -> bool:
        task = asyncio.ensure_future(_awaited(url))
        await asyncio.sleep(0.5)
        server.close()
        server.restart()
        with redis.Redis.from_url(url) as client:
            while not client.llen("touchline"):
                await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return True

    async def _awaited(url: str) -> Answer:
        return await submit(clip_url, redis_url=url, deadline_s=60)

    with EmbeddedValkey() as server:
        assert asyncio.run(asyncio.wait_for(awaited(server.url), 60))


def test_purging_the_queue_answers_the_callers(valkey: EmbeddedValkey, connection: redis.Redis) -> None:
    caller = submit_in_thread("https://example.org/clip.mp4", valkey.url, "purged")
    with make_app(load_settings(redis_url=valkey.url)) as app:
        assert app.control.purge() == 1
    with pytest.raises(Cancelled, match="purged"):
        caller.result()
    assert connection.llen("touchline") == 0
