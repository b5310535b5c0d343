"""The parts of a running system: child processes that are watched, and that never outlive this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from services.errors import StartFailed
from services.processes.environment import child_environment
from services.processes.process_tree import descendants, send_signal

Listener = Callable[[str, str], None]
KEPT_LINES = 200
"""Last lines of the output that are kept for a failure: a traceback fits."""


def quiet(name: str, line: str) -> None:
    """A listener that shows nothing; the last lines are kept for failures all the same."""


class SupervisedProcess:
    """One child process with a name, run through `services.processes.reaper`.

    Args:
        name: What it is called in messages.
        argv: Its command.
        env: Environment variables on top of this process's own.
        listener: Called with the name and each line of output, from a thread.
        grace_s: Seconds that it gets to end by itself when it is stopped.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        listener: Listener = quiet,
        grace_s: float = 10.0,
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._env = child_environment(env or {})
        self._listener = listener
        self._grace_s = grace_s
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the reaper, whose descendants are the part."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, 128 plus the signal if by one; None while it runs."""
        code = None if self._process is None else self._process.poll()
        # the reaper itself is hit when it is stopped before it has begun
        return code if code is None or code >= 0 else 128 - code

    def start(self) -> None:
        """Start the process."""
        # -P: a folder named `services` in the working directory is not ours
        reaper = [sys.executable, "-P", "-m", "services.processes.reaper"]
        command = [*reaper, str(os.getpid()), str(self._grace_s), "--"]
        self._process = subprocess.Popen(
            [*command, *self._argv],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # a Ctrl-C on the terminal is ours to handle: the worker ends first, the server last
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"touchline-{self.name}", daemon=True)
        self._reader.start()

    def request_stop(self) -> None:
        """Ask it to end; a second time ends it at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to end and wait until it and all of its descendants have; its exit code."""
        self.request_stop()
        return self.wait()

    def kill(self) -> int:
        """Kill it and all of its descendants, as a crash would, and wait for its end; its exit code."""
        for pid in descendants(self.pid):
            send_signal(pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        if self._process is None or self._reader is None:
            return 0
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self.exit_code or 0

    def tail(self, count: int = 15) -> str:
        """The last lines of its output."""
        return "\n".join(list(self._lines)[-count:])

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            StartFailed: It ended; the text has its last line, or more if nobody has seen them.
        """
        code = self.exit_code
        if code is not None:
            self.wait()
            last = self.tail() if self._listener is quiet else self.tail(1)
            raise StartFailed(f"{self.name} ended with exit code {code}:\n{last}")

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.rstrip()
            self._lines.append(text)
            self._listener(self.name, text)
        self.ended.set()
