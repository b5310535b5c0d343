"""The reaper leaves nothing behind, whichever way it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.processes import reaper
from services.processes.process_tree import parent_of
from tests.support.processes import alive, wait_for

# a command that has a child and a grandchild; both ignore SIGTERM, the grandchild in a session of its own
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while True:
    time.sleep(1)
"""


def start(argv: list[str], parent: int | None = None, grace: str = "30") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.processes.reaper", str(parent or os.getpid()), grace, "--"]
    return subprocess.Popen([*command, *argv], start_new_session=True)


def stubborn(tmp_path: Path, grace: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """The reaper over a stubborn family, and the family's process ids."""
    notes = tmp_path / "pids"
    process = start([sys.executable, "-c", STUBBORN, str(notes)], grace=grace)
    assert wait_for(lambda: notes.exists() and notes.read_text().count("\n") == 2)
    return process, [int(line) for line in notes.read_text().split()]


@pytest.mark.parametrize(("code", "expected"), [("raise SystemExit(7)", 7), ("import os; os.abort()", 134)])
def test_the_exit_code_is_the_commands(code: str, expected: int) -> None:
    assert start([sys.executable, "-c", code]).wait() == expected


def test_a_command_that_does_not_exist_is_127() -> None:
    assert start(["/does/not/exist"]).wait() == 127


def test_sigterm_lets_the_command_end_by_itself(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        f"open({str(ready)!r}, 'w').close()\n"
        "time.sleep(600)\n"
    )
    process = start([sys.executable, "-c", code])
    assert wait_for(ready.exists)
    process.terminate()
    assert process.wait() == 5


def test_after_the_grace_all_descendants_are_killed(tmp_path: Path) -> None:
    process, family = stubborn(tmp_path, grace="0.2")
    process.terminate()
    assert process.wait() == 128 + signal.SIGKILL
    assert alive(family) == set()


def test_a_second_sigterm_does_not_wait(tmp_path: Path) -> None:
    process, family = stubborn(tmp_path, grace="100000")
    process.terminate()
    # two signals of a kind that are pending at once are one
    assert wait_for(lambda: not pending(process.pid))
    process.terminate()
    assert process.wait() == 128 + signal.SIGKILL
    assert alive(family) == set()


def pending(pid: int) -> bool:
    text = Path(f"/proc/{pid}/status").read_text()
    masks = [line.split()[1] for line in text.splitlines() if line.startswith(("ShdPnd", "SigPnd"))]
    return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)


def test_grandchildren_do_not_outlive_the_command(tmp_path: Path) -> None:
    process, family = stubborn(tmp_path, grace="30")
    command = next(pid for pid in family if os.getsid(pid) == process.pid)
    # the other one was handed to the reaper when its own parent ended
    assert wait_for(lambda: {parent_of(pid) for pid in family} == {process.pid})
    os.kill(command, signal.SIGKILL)
    assert process.wait() == 128 + signal.SIGKILL
    assert alive(family) == set()


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    notes = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-m', 'services.processes.reaper', str(os.getpid()), '100000',"
        " '--', "
        f"sys.executable, '-c', {STUBBORN!r}, {str(notes)!r}], start_new_session=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    assert wait_for(lambda: notes.exists() and notes.read_text().count("\n") == 2)
    # the process between the two ends by itself
    assert wait_for(lambda: len(alive(reaper.descendants(parent.pid))) == 3)
    below = alive(reaper.descendants(parent.pid))
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not alive(below))


def test_a_reaper_whose_parent_is_gone_already_ends_its_command() -> None:
    process = start([sys.executable, "-c", "import time; time.sleep(600)"], parent=2**22 + 1)
    assert process.wait() == 128 + signal.SIGTERM


def test_a_command_line_without_a_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["reaper", "1", "1", "--"])
        assert reaper.main() == 2
    assert "PARENT GRACE" in capsys.readouterr().err
