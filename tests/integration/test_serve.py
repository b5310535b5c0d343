"""`touchline serve` as a process: one tree that answers over HTTP, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from services.processes.embedded_valkey import free_port
from services.processes.process_tree import descendants
from services.wire.gsr import frames_part
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.processes import alive, wait_for
from tests.support.servers import WORKER_START_S, worker_env
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


def started(port: int, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "serve", "--port", str(port)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_one_tree_answers_like_the_parts_do_and_ends_as_one(
    origin: DemoOrigin, worker: WorkerProcess, clip_url: str, tmp_path: Path
) -> None:
    port = free_port()
    process = started(port, **worker_env(origin, tmp_path), SPOTCHECK_MODE="1")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:

            def status(path: str) -> int:
                try:
                    return client.get(path).status_code
                except httpx.TransportError:
                    return 0

            assert wait_for(lambda: status("/healthz") == 200, WORKER_START_S)
            early = status("/docs")
            assert wait_for(lambda: status("/docs") == 200, WORKER_START_S)
            assert early in (200, 503)
            request = {"challenge_id": "serve-1", "type": "gsr", "video_url": clip_url}
            given = client.post("/soccer/challenge", json=request, headers={"X-Miner-Hotkey": "any"})
            assert given.status_code == 200, given.text
        other = submit(clip_url, challenge_id="serve-2", redis_url=worker.redis_url, deadline_s=60).wait()
        assert frames_part(given.content) == frames_part(other.body)
        family = descendants(process.pid)
        assert len(family) >= 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not alive(family)
    finally:
        process.kill()
        process.communicate()


def test_it_does_not_start_without_knowing_whom_to_answer(tmp_path: Path) -> None:
    process = started(free_port(), STATE_DIR=str(tmp_path))
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "MINER_HOTKEY is needed" in text
