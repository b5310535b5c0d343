from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks import ready


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Fixed:
        state_dir = str(tmp_path / "state")

    monkeypatch.setattr(ready, "get_settings", lambda: Fixed)
    return tmp_path / "state"


def test_states_are_written_and_read() -> None:
    assert ready.read_state(os.getpid()) == ("warming", "")
    ready.write_state(ready.READY)
    assert ready.read_state(os.getpid()) == ("ready", "")
    ready.write_state(ready.FAILED, "no such model")
    assert ready.read_state(os.getpid()) == ("failed", "no such model")


def test_files_of_dead_processes_are_removed(state_dir: Path) -> None:
    ready.write_state(ready.READY)
    gone = subprocess.Popen(["true"])
    gone.wait()
    (state_dir / f"child-{gone.pid}").write_text("ready\n")
    ready.forget_dead()
    assert [p.name for p in state_dir.iterdir()] == [f"child-{os.getpid()}"]
