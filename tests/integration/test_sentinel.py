"""A primary that Sentinels name, and a fail-over to another one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from services.processes.embedded_valkey import HOST, EmbeddedValkey, free_port, server_binary
from services.processes.supervised import SupervisedProcess
from services.wire.reply import Answer
from tasks.client import submit
from tasks.shared_client import Client
from tests.support.processes import wait_for
from tests.support.servers import warm_worker, worker_env
from touchline_lab.demo_origin.server import DemoOrigin
from touchline_lab.reliability.caller import submit_in_thread

pytestmark = pytest.mark.integration
GROUP = "touchline"


class Sentinels:
    """Two servers, one a replica of the other, and three Sentinels that watch them."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.servers = [stack.enter_context(EmbeddedValkey()) for _ in range(2)]
        first, second = self.servers
        with redis.Redis.from_url(second.url) as replica:
            replica.replicaof(HOST, str(first.port))
            assert wait_for(lambda: replica.info("replication")["master_link_status"] == "up")
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind {HOST}\ndir {folder}\n"
                f"sentinel monitor {GROUP} {HOST} {first.port} 2\n"
                f"sentinel down-after-milliseconds {GROUP} 3000\n"
                f"sentinel failover-timeout {GROUP} 5000\n"
            )
            part = SupervisedProcess("sentinel", [str(server_binary()), str(config), "--sentinel"])
            part.start()
            stack.callback(part.stop)
        assert wait_for(self._agree)

    @property
    def url(self) -> str:
        hosts = ",".join(f"{HOST}:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/{GROUP}"

    def primary(self) -> EmbeddedValkey:
        """The server that the first Sentinel names."""
        with redis.Redis(port=self.ports[0]) as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(GROUP)
        return next(server for server in self.servers if server.port == port)

    def _agree(self) -> bool:
        with redis.Redis(port=self.ports[0]) as sentinel:
            try:
                state = sentinel.sentinel_master(GROUP)
            except redis.exceptions.RedisError:
                return False
            return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)


async def answer_in_event_loop(redis_url: str, clip_url: str) -> Answer:
    async with Client(redis_url) as client:
        return await client.submit(clip_url, deadline_s=60)


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    with ExitStack() as stack:
        yield Sentinels(stack, tmp_path)


def test_a_fail_over_costs_no_challenge(
    sentinels: Sentinels, origin: DemoOrigin, tmp_path: Path, clip_url: str
) -> None:
    before = sentinels.primary()
    with warm_worker(sentinels.url, worker_env(origin, tmp_path), "touchline-sentinel") as worker:
        assert not submit(clip_url, redis_url=sentinels.url, deadline_s=60).wait().partial
        caller = submit_in_thread(clip_url, sentinels.url, "fail-over", deadline_s=85)

        before.close()

        assert not caller.result().partial
        assert sentinels.primary() is not before
        assert not submit(clip_url, redis_url=sentinels.url, deadline_s=60).wait().partial
        assert not asyncio.run(answer_in_event_loop(sentinels.url, clip_url)).partial
        assert worker.exit_code is None
