"""A real worker tells in Redis how many challenges it can take."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from services.processes.embedded_valkey import EmbeddedValkey
from tasks.capacity import CAPACITY_KEY
from tasks.client import submit
from tests.support.processes import wait_for
from tests.support.servers import WORKER_START_S, MakeWorker

pytestmark = pytest.mark.integration


def test_a_worker_tells_what_it_can_take_until_it_stops(
    make_worker: MakeWorker, valkey: EmbeddedValkey, clip_url: str
) -> None:
    with redis.Redis.from_url(valkey.url) as connection:

        def record() -> dict[str, Any]:
            found = connection.hvals(CAPACITY_KEY)
            return dict(json.loads(found[0])) if found else {}

        worker = make_worker(ready=False)
        assert not record(), "it loads its models yet"
        worker.wait_until_ready(WORKER_START_S)
        assert wait_for(lambda: record().get("children") == 1)
        assert (record()["busy"], record()["seconds"]) == (0, None)

        silent = submit(f"{clip_url}?stall_after=200000", deadline_s=60, redis_url=valkey.url)
        assert wait_for(lambda: record().get("busy") == 1)
        silent.cancel()
        submit(clip_url, deadline_s=100, redis_url=valkey.url).wait()
        assert wait_for(lambda: (record().get("seconds") or 0) > 0)
        assert record()["seconds"] < 100

        worker.stop()
        assert not record(), "it takes nothing any more"
