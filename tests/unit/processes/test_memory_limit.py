"""A process that wants more memory than it may have is told so, and goes on."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import numpy
from services.processes.memory_limit import limit_memory

assert limit_memory({headroom})
try:
    numpy.ones(64 << 20, numpy.uint8)
    print("64 MB: taken")
    numpy.ones(512 << 20, numpy.uint8)
    print("512 MB: taken")
except MemoryError:
    print("refused")
print("goes on", len(numpy.ones(1 << 20, numpy.uint8)))
"""


def run(headroom: int) -> list[str]:
    script = SCRIPT.format(headroom=headroom)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


def test_more_than_the_headroom_is_refused_and_the_process_goes_on() -> None:
    assert run(256) == ["64 MB: taken", "refused", "goes on 1048576"]


def test_without_a_limit_all_is_taken() -> None:
    assert run(0) == ["64 MB: taken", "512 MB: taken", "goes on 1048576"]
