"""Which processes descend from which, and signals to them.

Nothing outside the standard library is imported: `reaper` starts within milliseconds.
"""

from __future__ import annotations

import os
from pathlib import Path


def parent_of(pid: int) -> int:
    """The parent of a process.

    Raises:
        FileNotFoundError: There is no such process.
        ProcessLookupError: It ended just now.
    """
    # the name in parentheses may hold spaces and parentheses itself
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _parents() -> dict[int, int]:
    """Parent by process id, of all processes."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            found[pid] = parent_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def descendants(root: int) -> set[int]:
    """All processes below `root`, not `root` itself."""
    parents = _parents()
    found: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def send_signal(pid: int, signum: int) -> None:
    """Send a signal to a process, which may have ended by itself meanwhile."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
