"""CPU seconds and peak memory of processes and of the processes below them."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path

CLOCK = os.sysconf("SC_CLK_TCK")
"""Ticks per second, the unit of CPU time in `/proc`."""


def own_cpu_seconds() -> float:
    """User and system seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def descendants(pid: int) -> list[int]:
    """All processes below one, at any depth (Linux; an empty list elsewhere)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name of the program, in brackets, may contain spaces
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


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds of all threads of processes; a process that has ended adds nothing."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK


def child_cpu_seconds() -> float:
    """User and system seconds of all processes below this one."""
    return cpu_seconds(descendants(os.getpid()))


def reset_peak(pids: Iterable[int] | None = None) -> None:
    """Start counting the peak of resident memory anew (Linux; no effect elsewhere).

    Args:
        pids: The processes; by default this one and all below it.
    """
    for pid in _these(pids):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue


def peak_mb(pids: Iterable[int] | None = None) -> float:
    """Peak of resident memory in MB since `reset_peak`, summed over the same processes."""
    total = sum(_status_mb(p, "VmHWM:") for p in _these(pids))
    if total or pids is not None:
        return total
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0 if it has ended or `/proc` does not exist."""
    return _status_mb(pid, "VmRSS:")


def _these(pids: Iterable[int] | None) -> Iterable[int]:
    return (os.getpid(), *descendants(os.getpid())) if pids is None else pids


def _status_mb(pid: int, field: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
