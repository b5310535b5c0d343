"""Looking at processes, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path


def alive(pids: Iterable[int]) -> set[int]:
    """Those of the processes that run; a zombie does not."""
    found = set()
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text.rpartition(")")[2].split()[0] != "Z":
            found.add(pid)
    return found


def wait_for(condition: Callable[[], bool], limit_s: float = 120.0) -> bool:
    """Wait until something holds; whether it did. The limit is only there to end a test that has failed."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
