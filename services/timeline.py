"""Where the time of one challenge went. One record feeds the log line, the reply, Flower and the CLI."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

VERSION = 2
"""Version of what `Timeline.to_dict` gives. 1 had no number, no `began`, and `connect` without its steps."""

STAGES = (
    "queue",
    "message",
    "claim",
    "redirect",
    "connect",
    "dns",
    "tcp",
    "tls",
    "request",
    "first_byte",
    "download",
    "index",
    "first_frame",
    "decode",
    "first_detections",
    "inference",
    "inference_detector",
    "inference_pitch",
    "inference_fine_ball",
    "track",
    "fill",
    "encode",
    "publish",
    "result_wait",
)
"""The stages in the order in which they are shown; a timeline may have further ones."""


class Timeline:
    """Spans and facts of one challenge; safe to use from all of its threads.

    A span is kept in seconds relative to the moment the timeline was made (the worker's start of the
    challenge); the queue time lies before that and so has a negative start. A stage that runs in pieces
    keeps its first start, its last end and the sum of its busy time.

    Attributes:
        began: The moment it was made, by this machine's clock, in seconds since 1970.
        on_stage: Called once for each stage that begins, with the seconds since the timeline began; from
            whichever thread the stage belongs to, so that it must take no time.
    """

    def __init__(self) -> None:
        self._zero = time.perf_counter()
        self.began = time.time()
        self._clock_difference = 0.0
        self._lock = threading.Lock()
        self._spans: dict[str, dict[str, float]] = {}
        self._facts: dict[str, Any] = {}
        self._begun: set[str] = set()
        self.on_stage: Callable[[str, float], None] | None = None

    def now(self) -> float:
        """Seconds since the timeline began."""
        return time.perf_counter() - self._zero

    def at(self, counter: float) -> float:
        """What `now()` gave at that value of `time.perf_counter()`."""
        return counter - self._zero

    def add_queue(self, submitted_at: float) -> None:
        """Add the queue stage, which ended when the timeline began.

        Args:
            submitted_at: When the front end submitted the challenge, in seconds since 1970.
        """
        with self._lock:
            # two machines' clocks may disagree: a wait is never negative
            seconds = max(0.0, self.began - submitted_at)
            self._spans["queue"] = {"start": -seconds, "end": 0.0, "busy": seconds}

    def add_clock_difference(self, seconds: float) -> None:
        """Say by how much the clock that front end and worker share is ahead of this machine's."""
        with self._lock:
            self._clock_difference = seconds
            if seconds:
                self._facts["clock_difference_s"] = round(seconds, 3)

    def add(self, stage: str, start: float, end: float, busy: float | None = None) -> None:
        """Add a part of a stage; `start` and `end` as of `now()`, `busy` if less than their distance."""
        work = end - start if busy is None else busy
        self._tell(stage)
        with self._lock:
            span = self._spans.setdefault(stage, {"start": start, "end": end, "busy": 0.0})
            span["start"] = min(span["start"], start)
            span["end"] = max(span["end"], end)
            span["busy"] += work

    def mark(self, stage: str) -> None:
        """Note the moment at which something first happened, counted from the beginning."""
        self._tell(stage)
        with self._lock:
            if stage not in self._spans:
                now = time.perf_counter() - self._zero
                self._spans[stage] = {"start": 0.0, "end": now, "busy": now}

    @contextmanager
    def span(self, stage: str) -> Iterator[None]:
        """Time the body of a `with` as a part of a stage."""
        start = self.now()
        self._tell(stage)
        try:
            yield
        finally:
            self.add(stage, start, self.now())

    def note(self, **facts: Any) -> None:
        """Keep facts beside the times: bytes, frames, protocol, new or reused connection, plan."""
        with self._lock:
            self._facts.update(facts)

    def count(self, fact: str, by: int = 1) -> None:
        """Add to a fact that counts."""
        with self._lock:
            self._facts[fact] = int(self._facts.get(fact, 0)) + by

    def _tell(self, stage: str) -> None:
        if self.on_stage is not None and stage not in self._begun:
            self._begun.add(stage)
            self.on_stage(stage, self.now())

    def to_dict(self) -> dict[str, Any]:
        """Plain data.

        `{"version", "began": seconds since 1970, "stages": {stage: {start, end, busy}}, "facts", "total"}`;
        "began" is by the clock that front end and worker share.
        """
        with self._lock:
            known = [s for s in STAGES if s in self._spans] + [s for s in self._spans if s not in STAGES]
            stages = {s: {k: round(v, 5) for k, v in self._spans[s].items()} for s in known}
            return {
                "version": VERSION,
                "began": round(self.began + self._clock_difference, 5),
                "stages": stages,
                "facts": dict(self._facts),
                "total": round(self.now(), 5),
            }


def with_result_wait(timeline: dict[str, Any], received_at: float, submitted_at: float) -> dict[str, Any]:
    """A worker's timeline with the stage `result_wait`: from the encoded answer until the front end has it.

    Args:
        timeline: `Timeline.to_dict()`; one that is empty or of an older version stays as it is.
        received_at: When the reply arrived, in seconds since 1970.
        submitted_at: When the challenge was submitted: a stored answer is older, and nobody waited for it.
    """
    if "began" not in timeline:
        return timeline
    ended = timeline["began"] + timeline["total"]
    if ended < submitted_at:
        return timeline
    seconds = round(max(0.0, received_at - ended), 5)
    span = {"start": timeline["total"], "end": round(timeline["total"] + seconds, 5), "busy": seconds}
    return timeline | {"stages": timeline["stages"] | {"result_wait": span}}
