"""CPU seconds and peak memory of a way, with its child processes where it has any."""

from __future__ import annotations

import os
import resource
from pathlib import Path

CLOCK = os.sysconf("SC_CLK_TCK")


def own_cpu_seconds() -> float:
    """User and system seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def descendants(pid: int) -> list[int]:
    """All processes below one (Linux; none elsewhere)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name in brackets may hold spaces
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def child_cpu_seconds() -> float:
    """The same of everything below this process."""
    total = 0
    for pid in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK


def reset_peak() -> None:
    """Have the peak counted from now, in this process and those below (Linux; elsewhere it does nothing)."""
    for pid in (os.getpid(), *descendants(os.getpid())):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def peak_mb() -> float:
    """Most resident memory since `reset_peak`, summed over this process and those below."""
    total = 0
    for pid in (os.getpid(), *descendants(os.getpid())):
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    if total:
        return total / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
