"""Limits the memory of a process, so that a file that unfolds costs one challenge and not the machine."""

from __future__ import annotations

import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def limit_memory(headroom_mb: int) -> bool:
    """Let this process allocate so much more than it has now; what wants more fails to get it.

    Counts what Linux counts for RLIMIT_DATA: private memory that can be written. Memory that a GPU driver
    only reserves is not part of it.

    Args:
        headroom_mb: In MB; 0 lifts the limit.

    Returns:
        Whether the system knows such a limit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if not headroom_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        return True
    if not _STATUS.exists():
        return False
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    limit = (int(fields["VmData"].split()[0]) << 10) + (headroom_mb << 20)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return True
