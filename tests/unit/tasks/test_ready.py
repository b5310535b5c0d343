from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

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


class Pool:
    """As much of Celery's pool as is looked at."""

    def __init__(self, *pids: int) -> None:
        self._pool = [SimpleNamespace(pid=pid) for pid in pids]
        self._processes = len(pids)


@pytest.mark.parametrize(
    ("states", "spare", "taken", "room"),
    [
        (["ready"], 0, 0, True),
        (["busy"], 0, 1, False),
        (["busy", "ready"], 0, 1, True),
        (["warming"], 0, 0, False),
        (["ready", "warming"], 0, 1, False),
        (["busy", "ready"], 1, 1, False),
        (["warming", "ready"], 1, 0, True),
    ],
)
def test_only_warm_children_take_challenges_and_spare_ones_add_none(
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    states: list[str],
    spare: int,
    taken: int,
    room: bool,
) -> None:
    state_dir.mkdir()
    for pid, state in enumerate(states):
        (state_dir / f"child-{pid}").write_text(f"{state} cpu\n")
    settings = SimpleNamespace(state_dir=str(state_dir), spare_children=spare)
    monkeypatch.setattr(ready, "get_settings", lambda: settings)
    monkeypatch.setattr(ready._Parent, "pool", Pool(*range(len(states))))

    assert ready.has_room(taken) is room
