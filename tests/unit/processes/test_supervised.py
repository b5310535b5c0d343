"""Parts: output, endings and failures of child processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from services.errors import StartFailed
from services.processes.supervised import SupervisedProcess
from tasks.worker_process import command


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_lines_reach_the_listener_with_the_parts_name() -> None:
    seen: list[tuple[str, str]] = []
    part = SupervisedProcess(
        "talker", python("print('one'); print('two')"), listener=lambda n, x: seen.append((n, x))
    )
    part.start()
    assert part.wait() == 0
    assert seen == [("talker", "one"), ("talker", "two")]


def test_the_environment_is_changed_for_the_child_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "kept")
    part = SupervisedProcess(
        "env", python("import os; print(os.environ['KEPT'], os.environ['ADDED'])"), {"ADDED": "new"}
    )
    part.start()
    part.wait()
    assert part.tail() == "kept new"


def test_a_part_that_ended_is_reported_with_its_last_lines() -> None:
    part = SupervisedProcess("broken", python("print('the reason'); raise SystemExit(3)"))
    part.start()
    part.wait()
    with pytest.raises(StartFailed, match=r"broken ended with exit code 3:\nthe reason"):
        part.check()


def test_a_running_part_passes_the_check_and_can_be_stopped() -> None:
    with SupervisedProcess("sleeper", python("import time; time.sleep(600)")) as part:
        part.check()
        assert part.exit_code is None
    assert part.exit_code == 128 + 15
    assert part.ended.is_set()


def test_a_part_that_was_never_started_stops_without_fuss() -> None:
    part = SupervisedProcess("idle", ["true"])
    assert part.stop() == 0
    with pytest.raises(RuntimeError, match="not started"):
        _ = part.pid


def test_a_package_in_the_working_directory_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    monkeypatch.chdir(tmp_path)
    part = SupervisedProcess("help", command("worker", "--help"))
    part.start()
    assert part.wait() == 0, part.tail()
