"""What the commands print: to a terminal with colours and spinners, elsewhere in plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_STEP = 0.25
"""Without a terminal, progress is a line at every quarter."""


def stdout() -> Console:
    """The console of results."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def stderr() -> Console:
    """The console of everything that is not a result."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def complain(text: str) -> None:
    """Print an error."""
    stderr().print(text, style="red", markup=False)


def say(text: str, style: str | None = None) -> None:
    """Print a status line."""
    stderr().print(text, style=style, markup=False)


@contextmanager
def waiting(text: str, report: bool = True) -> Iterator[None]:
    """Show that something is being waited for and, with `report`, how long it took."""
    console = stderr()
    started = time.monotonic()
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        if report:
            console.print(f"{text} ...", markup=False)
        yield
    if report:
        console.print(f"{text}: {time.monotonic() - started:.1f} s", markup=False)


class Progressing:
    """A progress bar that is called with (done, total).

    Args:
        text: What is being done.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._console = stderr()
        self._bar: Progress | None = None
        self._next = 0.0

    def __enter__(self) -> Progressing:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.add_task(self._text, total=None)
            self._bar.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        elif done == total or done >= self._next * total:
            self._console.print(f"{self._text}: {done} of {total}", markup=False)
            self._next = done / total + PLAIN_STEP

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
