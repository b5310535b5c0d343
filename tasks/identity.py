"""Names of processes and workers in Redis, and what of them can be seen from here."""

from __future__ import annotations

import os
import socket
import uuid
from functools import lru_cache
from pathlib import Path


def machine() -> str:
    """Names the system whose process ids mean the same as ours: two containers may share a host name."""
    return f"{socket.gethostname()}/{os.readlink('/proc/self/ns/pid')}"


def process_name() -> str:
    """Names this process."""
    return f"{machine()} {os.getpid()}"


def is_dead(name: str) -> bool:
    """Whether a process is known to be dead; one of another machine never is.

    Args:
        name: What `process_name` or `worker_name` gave there.
    """
    system, _, pid = name.partition("#")[0].rpartition(" ")
    return system == machine() and not Path(f"/proc/{pid}").exists()


def worker_name() -> str:
    """Names this process as a worker's parent; another one than any process that had its number before."""
    return f"{process_name()}#{_mark(os.getpid())}"


@lru_cache(maxsize=1)
def _mark(pid: int) -> str:
    """A mark of its own for each process, also for one that was forked from another."""
    return uuid.uuid4().hex[:12]
