"""Each process has a device of its own, also after one ended without a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.errors import ModelNotReady
from tasks.device_slot import take_slot

NAMES = ("cuda:0", "cuda:1")
HOLD = """
import sys
from pathlib import Path
from tasks.device_slot import take_slot
print(take_slot(("cuda:0", "cuda:1"), Path(sys.argv[1]), 0.0).name, flush=True)
input()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=pipe, stdout=pipe, text=True, cwd=Path.cwd()
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_first_free_one_is_taken(tmp_path: Path) -> None:
    one = take_slot(NAMES, tmp_path / "state", 0.0)
    two = take_slot(NAMES, tmp_path / "state", 0.0)
    assert (one.name, two.name) == NAMES
    os.close(one.handle)
    again = take_slot(NAMES, tmp_path / "state", 0.0)
    assert again.name == "cuda:0"
    os.close(two.handle)
    os.close(again.handle)


def test_none_is_free(tmp_path: Path) -> None:
    slots = [take_slot(NAMES, tmp_path, 0.0) for _ in NAMES]
    with pytest.raises(ModelNotReady, match=f"cuda:1 by process {os.getpid()}"):
        take_slot(NAMES, tmp_path, 0.0)
    for slot in slots:
        os.close(slot.handle)


def test_it_waits_for_one_that_is_being_given_up(tmp_path: Path) -> None:
    slots = [take_slot(NAMES, tmp_path, 0.0) for _ in NAMES]
    found = take_slot(NAMES, tmp_path, 30.0, sleep=lambda seconds: os.close(slots[1].handle))
    assert found.name == "cuda:1"
    os.close(slots[0].handle)
    os.close(found.handle)


def test_a_killed_process_frees_its_device_and_no_other(tmp_path: Path) -> None:
    with holder(tmp_path) as one:
        assert first_line(one) == "cuda:0"
        with holder(tmp_path) as two:
            assert first_line(two) == "cuda:1"
            one.send_signal(signal.SIGKILL)
            one.wait()
            slot = take_slot(NAMES, tmp_path, 0.0)
            assert slot.name == "cuda:0"
            os.close(slot.handle)
            two.communicate("\n")


def test_a_child_of_the_holder_does_not_keep_the_device(tmp_path: Path) -> None:
    slot = take_slot(NAMES, tmp_path, 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        os.close(slot.handle)
        again = take_slot(NAMES, tmp_path, 0.0)
        assert again.name == "cuda:0"
        os.close(again.handle)
        child.communicate(b"\n")
