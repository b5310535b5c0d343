"""When each model of a predictor ran."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol, runtime_checkable

MAX_RUNS: Final = 10_000
"""Calls that are kept: more than the longest challenge has batches."""


class ModelRun(NamedTuple):
    """One call of a model: its name, and start and end by `time.perf_counter()`."""

    model: str
    start: float
    end: float


@runtime_checkable
class TimesModels(Protocol):
    """A predictor that says when its models ran."""

    def take_model_runs(self) -> list[ModelRun]:
        """The calls since this was last asked."""


class ModelTimes:
    """Collects the calls of one predictor's models, from all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # nobody asks for those of the keep-warm thread until the next challenge
        self._runs: deque[ModelRun] = deque(maxlen=MAX_RUNS)

    @contextmanager
    def of(self, model: str) -> Iterator[None]:
        """Time the body of a `with` as a call of a model."""
        start = time.perf_counter()
        try:
            yield
        finally:
            run = ModelRun(model, start, time.perf_counter())
            with self._lock:
                self._runs.append(run)

    def take(self) -> list[ModelRun]:
        """The calls since the last time, which are then forgotten."""
        with self._lock:
            runs = list(self._runs)
            self._runs.clear()
        return runs
