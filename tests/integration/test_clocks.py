"""A front end whose clock is minutes wrong; the same code translates in a worker."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.errors import DeadlineExceeded
from services.processes.embedded_valkey import EmbeddedValkey
from tasks import challenge_arguments, enqueue, pending_challenge, redis_clock
from tasks.client import submit
from tasks.worker_process import WorkerProcess
from tests.support.videos import make_video
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


def set_clock(patch: pytest.MonkeyPatch, ahead: float) -> None:
    """This process's clock, as the client sees it, is that far ahead."""
    own = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic, sleep=time.sleep)
    for module in (challenge_arguments, enqueue, pending_challenge, redis_clock):
        patch.setattr(module, "time", own)


@pytest.mark.parametrize("ahead", [-200.0, 200.0])
def test_a_front_end_with_another_clock_is_answered(
    worker: WorkerProcess,
    origin: DemoOrigin,
    origin_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead: float,
) -> None:
    (origin_folder / "short.mp4").write_bytes(make_video())
    set_clock(monkeypatch, ahead)
    answer = submit(origin.url("short.mp4"), redis_url=worker.redis_url, deadline_s=60).wait()
    assert not answer.partial
    assert answer.timeline["stages"]["queue"]["busy"] < 100
    assert answer.timeline["stages"]["result_wait"]["busy"] < 100


def test_an_error_names_the_difference(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 200.0)
    with pytest.raises(DeadlineExceeded, match=r"is (199|200|201)\.\d s ahead of Redis's"):
        submit("https://127.0.0.1:1/never.mp4", redis_url=valkey.url, deadline_s=0.2).wait()
