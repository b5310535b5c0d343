"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Option of prctl(2): a signal when the parent ends."""


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent ends, however that ends (Linux, prctl(2)).

    Elsewhere it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), signum)
