"""A real worker whose children each have a device of their own; CPU slots stand for GPUs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.processes import wait_for
from tests.support.servers import WORKER_START_S, MakeWorker

pytestmark = pytest.mark.integration


def ready_children(state_dir: Path) -> dict[str, int]:
    """Process by device, of the children that are ready."""
    found = {}
    for marker in state_dir.glob("child-*"):
        pid = int(marker.name.removeprefix("child-"))
        try:
            state, _, device = marker.read_text().strip().partition(" ")
        except FileNotFoundError:  # of one that has ended
            continue
        if state == "ready" and Path(f"/proc/{pid}").exists():
            assert device not in found
            found[device] = pid
    return found


def test_each_child_has_its_own_device_and_a_killed_ones_goes_to_its_successor(
    make_worker: MakeWorker, tmp_path: Path
) -> None:
    state = tmp_path / "slots"
    make_worker(DEVICE="cpu", GPUS="0,1", STATE_DIR=str(state))
    assert wait_for(lambda: set(ready_children(state)) == {"cpu#0", "cpu#1"})
    before = ready_children(state)
    os.kill(before["cpu#0"], signal.SIGKILL)
    assert wait_for(
        lambda: ready_children(state).get("cpu#0", before["cpu#0"]) != before["cpu#0"], WORKER_START_S
    )
    after = ready_children(state)
    assert set(after) == {"cpu#0", "cpu#1"}
    assert after["cpu#1"] == before["cpu#1"]
