"""Flower with a real worker: the stages of a challenge stand in its task table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.errors import UrlRefused
from services.monitoring.flower_tasks import short_id
from services.processes.embedded_valkey import EmbeddedValkey, free_port
from services.processes.supervised import SupervisedProcess
from tasks.client import submit
from tasks.worker_process import WorkerProcess, command
from tests.support.processes import wait_for
from touchline_lab.screenshots.flower_table import task_rows

pytestmark = pytest.mark.integration


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def test_a_challenge_stands_in_the_task_table(
    worker: WorkerProcess, worker_valkey: EmbeddedValkey, clip_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = {
        "REDIS_URL": worker_valkey.url,
        "FLOWER_BASIC_AUTH": "admin:pass,word",
        "FLOWER_DB": str(tmp_path / "history"),
    }
    base = f"http://127.0.0.1:{port}"
    with (
        SupervisedProcess("flower", command("flower", "--port", str(port)), env) as flower,
        httpx.Client(base_url=base, auth=("admin", "pass,word"), timeout=60) as client,
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
            return [row for row in task_rows(client) if row["state"] == "FAILURE" and row["uuid"] in refused]

        # the event that brings the arguments may come later than that of the failure
        assert wait_for(
            lambda: any("UrlRefused in accept" in (row["kwargs"] or "") for row in failed_rows())
        ), flower.tail()
        answered = submit(clip_url, deadline_s=100, redis_url=worker_valkey.url)
        answered.wait()

        def answered_rows() -> list[dict[str, Any]]:
            rows = [row for row in task_rows(client) if row["uuid"] == answered.token]
            return [row for row in rows if re.fullmatch(r"\d+( / \d+){5}", row["kwargs"] or "")]

        assert wait_for(lambda: bool(answered_rows())), flower.tail()
        (row,) = answered_rows()
        assert row["state"] == "SUCCESS"
        assert row["args"] == f"{short_id(answered.challenge_id)} (gsr)"
        assert "inference_pitch" in client.get(f"/task/{answered.token}").text
        assert row["runtime"] > 0
        page = client.get("/tasks").text
        heads = [
            page.index(f'data-column="{name}"') for name in ("state", "args", "kwargs", "runtime", "uuid")
        ]
        assert heads == sorted(heads)
        assert client.get("/metrics").status_code == 200
    # another Flower with the same file: its history is that of the one before
    with (
        SupervisedProcess("flower", command("flower", "--port", str(port)), env) as flower,
        httpx.Client(base_url=base, auth=("admin", "pass,word"), timeout=60) as client,
    ):
        assert wait_for(lambda: answers(client)), flower.tail()
        (kept,) = [row for row in task_rows(client) if row["uuid"] == answered.token]
        assert kept["args"] == f"{short_id(answered.challenge_id)} (gsr)"


def test_outside_the_loopback_flower_asks_for_a_password_that_it_logs(worker_valkey: EmbeddedValkey) -> None:
    port = free_port()
    words = command("flower", "--port", str(port), "--address", "0.0.0.0")
    base = f"http://127.0.0.1:{port}"
    with (
        SupervisedProcess("flower", words, {"REDIS_URL": worker_valkey.url}) as flower,
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        assert wait_for(lambda: answers(client)), flower.tail()
        assert {client.get(path).status_code for path in ("/tasks", "/metrics", "/api/tasks")} == {401}
        password = re.search(r"its password (\S+)", flower.tail())
        assert password is not None
        assert client.get("/tasks", auth=("touchline", password[1])).status_code == 200
