"""Several processes that one command runs until a signal comes: watching them, and stopping in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from services.cli.console import say

if TYPE_CHECKING:
    from services.processes.supervised import SupervisedProcess

WATCH_S: Final = 0.2
"""Seconds between two looks whether a process has ended."""


class StopSignal:
    """Counts SIGINT, SIGTERM and SIGHUP."""

    def __init__(self) -> None:
        self.count = 0
        self._event = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._received)

    def _received(self, *_: object) -> None:
        self.count += 1
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether a signal has come, waiting for one that long."""
        return self._event.wait(timeout_s)


def show_line(name: str, line: str) -> None:
    """Print a process's line with its name."""
    say(f"{name:>7} | {line}")


def run_until_stopped(parts: Sequence[SupervisedProcess], stop: StopSignal, words: str) -> None:
    """Watch processes until a signal comes, then stop them, the last one first.

    Args:
        parts: The processes; each needs those before it.
        stop: Tells that a signal has come; a second one ends the process that is being waited for.
        words: What is said when the stopping begins.

    Raises:
        StartFailed: A process ended by itself.
    """
    while not stop.wait(WATCH_S):
        for part in parts:
            part.check()
    say(words)
    for part in reversed(parts):
        part.request_stop()
        while not part.ended.wait(WATCH_S):
            if stop.count > 1:
                part.request_stop()
                part.ended.wait()
        part.wait()
    say("stopped")
