"""`touchline serve` as a process: one tree that answers over HTTP, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.processes.embedded_valkey import free_port
from services.processes.process_tree import descendants
from services.settings import load_settings
from services.wire.gsr import frames_part
from services.wire.spot_check import compared_part
from tasks.client import Client
from tests.support.processes import alive, wait_for
from tests.support.servers import WORKER_START_S, MakeWorker, worker_env
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
SPOT_CHECK = {"VERIFY_ENABLED": "false", "BLACKLIST_ENABLED": "false", "SPOTCHECK_MODE": "true"}
"""All that a spot check sets of what concerns us."""


def started(port: int, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "serve", "--port", str(port)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def with_cores(count: int, folder: Path) -> dict[str, str]:
    """The environment of a process that believes to have so many cores: numbers of threads follow them."""
    path = folder / f"cores-{count}"
    path.mkdir()
    (path / "sitecustomize.py").write_text(
        f"import os\nos.cpu_count = lambda: {count}\nos.sched_getaffinity = lambda pid: set(range({count}))\n"
    )
    return {"PYTHONPATH": str(path)}


@contextmanager
def served(**env: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """A `touchline serve` that is ready, and what it is before that."""
    port = free_port()
    process = started(port, **env)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as client:

            def status(path: str) -> int:
                try:
                    return client.get(path).status_code
                except httpx.TransportError:
                    return 0

            assert wait_for(lambda: status("/healthz") == 200, WORKER_START_S)
            assert status("/docs") == 503, "the models are not warm yet"
            assert status("/readyz") == 503
            assert wait_for(lambda: status("/docs") == 200, WORKER_START_S)
            yield client, process
    finally:
        process.kill()
        process.communicate()


def asked(client: httpx.Client, name: str, url: str) -> tuple[bytes, Any]:
    """The answers of both tracks to a clip, without id and time, as a spot check asks."""
    headers = {"X-Miner-Hotkey": "any"}
    gsr = client.post(
        "/soccer/challenge",
        json={"challenge_id": f"{name}-gsr", "type": "gsr", "video_url": url},
        headers=headers,
    )
    private = client.post(
        "/challenge",
        json={"challenge_id": f"{name}-private", "video_url": url, "frames": None},
        headers=headers,
    )
    assert (gsr.status_code, private.status_code) == (200, 200), (gsr.text[:300], private.text[:300])
    return frames_part(gsr.content), compared_part(private.json())


def test_one_container_answers_like_the_whole_system_on_one_core_and_on_four(
    origin: DemoOrigin, make_worker: MakeWorker, clip_url: str, tmp_path: Path
) -> None:
    env = worker_env(origin, tmp_path) | SPOT_CHECK
    with served(**env, **with_cores(1, tmp_path)) as (client, process):
        first, second = (asked(client, name, clip_url) for name in ("first", "second"))
        assert second == first
        family = descendants(process.pid)
        assert len(family) >= 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0
        assert not alive(family)
    with served(**env, **with_cores(4, tmp_path)) as (client, _):
        assert asked(client, "later", clip_url) == first, "on four cores, in another run"
    kinds = ("gsr", "soccer_action")
    whole = make_worker(SERVED_KINDS=",".join(kinds))
    settings = load_settings(redis_url=whole.redis_url, served_kinds=kinds)

    async def answers() -> list[bytes]:
        async with Client(settings=settings) as queue:
            return [(await queue.submit(clip_url, kind=kind, deadline_s=60)).body for kind in kinds]

    gsr, private = asyncio.run(answers())
    assert (frames_part(gsr), compared_part(json.loads(private))) == first


def test_a_signal_to_stop_lets_those_who_wait_have_their_answers(
    origin: DemoOrigin, clip_url: str, tmp_path: Path
) -> None:
    given: list[httpx.Response] = []
    with served(**worker_env(origin, tmp_path), **SPOT_CHECK, SERVED_KINDS="gsr") as (client, process):
        # slow enough to be at work when the signal comes
        request = {"challenge_id": "last", "type": "gsr", "video_url": f"{clip_url}?rate=100000"}
        asking = threading.Thread(target=lambda: given.append(client.post("/soccer/challenge", json=request)))
        asking.start()
        assert wait_for(lambda: client.get("/readyz").json()["waiting_requests"] == 1)
        process.send_signal(signal.SIGTERM)
        asking.join()
        assert process.wait(180) == 0
    assert given[0].status_code == 200, given[0].text


def test_it_does_not_start_without_knowing_whom_to_answer(tmp_path: Path) -> None:
    process = started(free_port(), STATE_DIR=str(tmp_path))
    text, _ = process.communicate(timeout=180)
    assert process.returncode == 78
    assert "MINER_HOTKEY is needed" in text
