"""What the system leaves in Redis, and that the rights that the compose file gives it are enough."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.errors import SourceRejected
from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import load_settings
from tasks.celery_app import make_app
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.processes import wait_for
from tests.support.servers import warm_worker, worker_env
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
ACCESS = (Path(__file__).parents[2] / "compose/redis/access").read_text().split()
"""The rights of the only user of the compose file's Redis."""
STRUCTURE = {"touchline:unacked", "touchline:unacked-index", "touchline:binding-deadlines"}
"""Keys of fixed number that have to outlive every challenge; of bindings there is one for each queue."""


@pytest.fixture(scope="module")
def restricted() -> Iterator[EmbeddedValkey]:
    """A server whose only user has the rights that the compose file gives it."""
    with EmbeddedValkey() as server:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL", "SETUSER", "default", "reset", "on", "nopass", *ACCESS)
        yield server


@pytest.fixture(scope="module")
def restricted_worker(
    restricted: EmbeddedValkey, origin: DemoOrigin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    env = worker_env(origin, tmp_path_factory.mktemp("state"))
    with warm_worker(restricted.url, env, "any-name") as worker:
        yield worker


@pytest.fixture
def connection(restricted: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(restricted.url, decode_responses=True) as client:
        yield client


def test_challenges_need_no_other_rights(restricted_worker: WorkerProcess, clip_url: str) -> None:
    url = restricted_worker.redis_url
    seen: list[str] = []
    with make_app(load_settings(redis_url=url)) as celery, celery.connection_for_read() as connection:
        # as Flower listens
        receiver = celery.events.Receiver(
            connection, handlers={"task-succeeded": lambda event: seen.append(event["uuid"])}
        )
        with receiver.consumer_context() as (listening, _, _):
            submission = submit(clip_url, redis_url=url, deadline_s=60)
            assert not submission.wait().partial
            with contextlib.suppress(TimeoutError):
                while not seen:
                    listening.drain_events(timeout=60)
    assert seen == [submission.token]


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "CONFIG GET *",
        "SHUTDOWN NOSAVE",
        "KEYS *",
        "MONITOR",
        "REPLICAOF NO ONE",
        "ACL LIST",
        "GET other",
    ],
)
def test_whoever_reaches_redis_cannot_administer_it(connection: redis.Redis, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        connection.execute_command(*command.split())


def test_every_key_has_the_prefix_and_an_expiry(
    restricted_worker: WorkerProcess, connection: redis.Redis, clip_url: str
) -> None:
    url = restricted_worker.redis_url
    submit(clip_url, redis_url=url, deadline_s=60).wait()
    with pytest.raises(SourceRejected):
        submit(f"{clip_url}.missing", redis_url=url, deadline_s=60).wait()
    submit(clip_url, redis_url=url, deadline_s=60).cancel()
    connection.lpush("touchline", "{}")
    assert wait_for(lambda: connection.exists("touchline:dead-letters"))
    time.sleep(0.5)

    keys = {key: connection.ttl(key) for key in connection.scan_iter("*")}

    assert all(key == "touchline" or key.startswith("touchline:") for key in keys), keys
    lasting = {key for key, ttl in keys.items() if ttl == -1}
    assert {key for key in lasting if not key.startswith("touchline:binding")} <= STRUCTURE
