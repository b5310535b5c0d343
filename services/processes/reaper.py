"""Runs a command and leaves nothing of it behind: `python -m services.processes.reaper PARENT GRACE -- ARGV`.

It stands between a parent (`touchline up`, a test) and one part of the system. Whatever happens first (the
command ends, SIGTERM comes, or the parent is gone, even by SIGKILL) all descendants end with it: orphans are
handed to this process by the kernel (child subreaper), so that none can hide. Nothing outside the standard
library is imported, for a start within milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from services.processes.parent_death import PR_SET_PDEATHSIG
from services.processes.process_tree import descendants, send_signal

PR_SET_CHILD_SUBREAPER = 36
"""Option of prctl(2): descendants whose parent ends become children of this process."""
ORPHAN_GRACE_S = 2.0
"""How long a command may clean up when the parent is gone: nobody waits for its work any more."""
POLL_S = 0.5
"""Seconds between two looks at whether the parent lives; signals wake it at once."""
_WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _reap() -> dict[int, int]:
    """Exit codes of all children that have ended."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def _kill_all() -> dict[int, int]:
    """SIGKILL all descendants until there are none; returns the exit codes of our own children."""
    ended: dict[int, int] = {}
    while left := descendants(os.getpid()):
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        time.sleep(0.01)
        ended |= _reap()
    return ended


def _spawn(argv: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def run(parent: int, grace_s: float, argv: list[str]) -> int:
    """Run `argv` until it ends, SIGTERM comes or `parent` is gone.

    Args:
        parent: Process id of the one that all of this is for.
        grace_s: Seconds between SIGTERM and SIGKILL; a second SIGTERM ends the waiting.
        argv: The command.

    Returns:
        The command's exit code, or 128 plus the signal that ended it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    # SIGHUP, to be told from the SIGTERM of somebody who wants a warm stop
    _prctl(PR_SET_PDEATHSIG, signal.SIGHUP)
    child = _spawn(argv)
    kill_at: float | None = None
    orphaned = False
    while True:
        got = signal.sigtimedwait(_WATCHED, POLL_S)
        ended = _reap()
        now = time.monotonic()
        if child in ended:
            _kill_all()
            code = ended[child]
            return code if code >= 0 else 128 - code
        if got is not None and got.si_signo == signal.SIGTERM:
            send_signal(child, signal.SIGTERM)
            kill_at = now + grace_s if kill_at is None else now
        if not orphaned and os.getppid() != parent:
            orphaned = True
            send_signal(child, signal.SIGTERM)
            kill_at = min(kill_at or now + ORPHAN_GRACE_S, now + ORPHAN_GRACE_S)
        if kill_at is not None and now >= kill_at:
            _kill_all()
            return 128 + signal.SIGKILL


def main() -> int:
    """Read `PARENT GRACE -- ARGV` from the command line and run it."""
    parent, grace, dashes, *argv = sys.argv[1:]
    if dashes != "--" or not argv:
        print(__doc__, file=sys.stderr)
        return 2
    return run(int(parent), float(grace), argv)


if __name__ == "__main__":
    sys.exit(main())
