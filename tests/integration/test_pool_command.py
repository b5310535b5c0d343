"""`touchline pool` against a real worker, and where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.processes.embedded_valkey import EmbeddedValkey, free_port
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.integration.test_cli import touchline

pytestmark = pytest.mark.integration


def test_the_pool_of_every_child_is_shown(
    worker: WorkerProcess, worker_valkey: EmbeddedValkey, clip_url: str
) -> None:
    submit(clip_url, deadline_s=100, redis_url=worker_valkey.url).wait()
    done = touchline("pool", "--json", REDIS_URL=worker_valkey.url)
    assert done.returncode == 0, done.stderr
    ((child,),) = json.loads(done.stdout).values()
    assert child["state"] in ("ready", "busy")
    assert child["answered"] >= 1
    assert child["pool"]["requests"] >= 1
    assert any(clip_url.startswith(each["origin"]) for each in child["pool"]["connections"])
    shown = touchline("pool", REDIS_URL=worker_valkey.url)
    assert "HTTP/2, idle" in shown.stdout


def test_no_worker_and_no_redis_are_said_plainly(valkey: EmbeddedValkey) -> None:
    nobody = touchline("pool", REDIS_URL=valkey.url)
    assert nobody.returncode == 1
    assert "no worker answers" in nobody.stderr
    away = touchline("pool", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert away.returncode == 1
    assert "Redis cannot be reached" in away.stderr
    assert "Traceback" not in away.stderr


def test_top_and_report_show_a_challenge_that_was_submitted(
    worker: WorkerProcess, worker_valkey: EmbeddedValkey, clip_url: str, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    words = ("submit", clip_url, "--id", "top-1", "--deadline", "100", "--report", str(page))
    done = touchline(*words, REDIS_URL=worker_valkey.url)
    assert done.returncode == 0, done.stderr
    assert "result_wait" in page.read_text()
    look = touchline("top", "--once", REDIS_URL=worker_valkey.url)
    assert look.returncode == 0, look.stderr
    assert "top-1" in look.stdout
    assert "ready" in look.stdout
    away = touchline("top", "--once", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert away.returncode == 1
    assert "Redis cannot be reached" in away.stdout
