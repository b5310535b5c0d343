"""Flower with a real worker: the stages of a challenge stand in its task table."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from services.errors import UrlRefused
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.supervised import SupervisedProcess
from tasks.client import submit
from tasks.worker_process import WorkerProcess, command
from tests.support.processes import wait_for

pytestmark = pytest.mark.integration

QUERY = {
    "draw": 1,
    "start": 0,
    "length": 10,
    "search[value]": "",
    "order[0][column]": 0,
    "columns[0][data]": "received",
    "order[0][dir]": "desc",
}


def rows(client: httpx.Client) -> list[dict[str, Any]]:
    """The task table's data, as the page asks for it."""
    response = client.get("/tasks/datatable", params=QUERY)
    response.raise_for_status()
    return list(response.json()["data"])


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def test_a_challenge_stands_in_the_task_table(
    worker: WorkerProcess, worker_valkey: EmbeddedValkey, clip_url: str
) -> None:
    port = free_port()
    env = {"REDIS_URL": worker_valkey.url, "FLOWER_BASIC_AUTH": "admin:pass,word"}
    base = f"http://127.0.0.1:{port}"
    with (
        SupervisedProcess("flower", command("flower", "--port", str(port)), env) as flower,
        httpx.Client(base_url=base, auth=("admin", "pass,word")) as client,
    ):
        assert wait_for(lambda: answers(client)), flower.tail()
        assert httpx.get(f"{base}/tasks").status_code == 401
        refused: set[str] = set()

        def failed_rows() -> list[dict[str, Any]]:
            # Flower answers before it listens, and never learns what happened before: try until it does
            submission = submit("ftp://host/clip.mp4", redis_url=worker_valkey.url)
            with pytest.raises(UrlRefused):
                submission.wait()
            refused.add(submission.token)
            return [row for row in rows(client) if row["state"] == "FAILURE" and row["uuid"] in refused]

        assert wait_for(lambda: bool(failed_rows())), flower.tail()
        assert "UrlRefused" in failed_rows()[0]["result"]
        answered = submit(clip_url, deadline_s=100, redis_url=worker_valkey.url)
        answered.wait()
        assert wait_for(lambda: any(row["state"] == "SUCCESS" for row in rows(client))), flower.tail()
        row = next(row for row in rows(client) if row["uuid"] == answered.token)
        stages = r"q \d+, conn \d+, load \d+, dec \d+, inf \d+, fill \d+ ms \| .* \| total \d+ ms, 100 frames"
        assert re.match(stages, row["result"]), row["result"]
        assert row["runtime"] > 0
        page = client.get("/tasks").text
        heads = [page.index(f'data-column="{name}"') for name in ("state", "runtime", "result", "uuid")]
        assert heads == sorted(heads)
        assert client.get("/metrics").status_code == 200
