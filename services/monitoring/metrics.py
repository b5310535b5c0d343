"""Prometheus metrics of challenges, counted by all processes of a worker together.

prometheus_client adds processes up through files in a folder. `use_folder` names it, in the worker's parent
before it forks; without it nothing is counted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from services.errors import ERROR_TYPES
from services.monitoring.outcome import Outcome

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client finds the folder."""
STAGE_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
"""Bounds in seconds: from one round trip to the longest time that a validator waits."""
MARGIN_BUCKETS: Final = (-5.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 15.0, 20.0, 25.0, 30.0)
"""Bounds in seconds of what is left until the deadline; up to 0 it was missed."""
FILL_BUCKETS: Final = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Bounds of the share of a full batch."""
BUSY_STAGES: Final = ("decode", "inference", "track")
"""Stages that run beside others: the time that they were busy is counted."""
EVENTS: Final = ("handshakes", "resumes", "takeovers", "refusals", "out_of_order_reads")
"""Facts of the timeline that are counted as events of the download."""
QueueEvent = Literal["set_aside", "purged", "put_back", "retried", "undelivered"]
QUEUE_EVENTS: Final[tuple[QueueEvent, ...]] = get_args(QueueEvent)
"""What may happen to a message or a reply besides: the message was no challenge, somebody emptied the queue,
its worker was lost, a child began it once more, the reply could not be handed to its caller."""
FRAMES: Final = {"frames": "answered", "sampled": "sampled", "decoded": "decoded"}
"""Facts of the timeline that count frames, and what they are called."""


def use_folder(folder: Path) -> None:
    """Count from now on, in files of a folder that is emptied; for a worker's parent, before it forks."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    from prometheus_client import values

    # it looks for the folder when it is imported, and Celery's command line has imported Flower, which does
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def is_counting() -> bool:
    """Whether `use_folder` was called, here or before the fork."""
    return bool(_folder())


def observe(outcome: Outcome, batch_size: int) -> None:
    """Count a challenge.

    Args:
        outcome: How it ended.
        batch_size: Frames of a full batch (BATCH_SIZE).
    """
    if not is_counting():
        return
    metrics, kind = _metrics(), outcome.kind
    metrics.challenges.labels(kind, outcome.result, outcome.error).inc()
    if outcome.margin_s is not None:
        metrics.margin.labels(kind).observe(outcome.margin_s)
    stages, facts = outcome.timeline.get("stages", {}), outcome.timeline.get("facts", {})
    for stage, span in stages.items():
        seconds = span["busy"] if stage in BUSY_STAGES else span["end"] - span["start"]
        metrics.stage.labels(stage, kind).observe(seconds)
    if outcome.result in ("complete", "partial"):
        queue = stages.get("queue", {}).get("busy", 0.0)
        metrics.challenge.labels(kind).observe(outcome.timeline.get("total", 0.0) + queue)
    for fact, name in FRAMES.items():
        if facts.get(fact):
            metrics.frames.labels(kind, name).inc(facts[fact])
    for fact in EVENTS:
        if facts.get(fact):
            metrics.events.labels(fact).inc(facts[fact])
    metrics.bytes.labels("downloaded").inc(facts.get("bytes", 0))
    metrics.bytes.labels("answered").inc(facts.get("answer_bytes", 0))
    if facts.get("batches"):
        metrics.fill.labels(kind).observe(facts.get("sampled", 0) / facts["batches"] / batch_size)


def begin(kinds: Iterable[str]) -> None:
    """Set what will be counted to zero: Prometheus cannot tell a count that appears as 1 from one that was 1.

    Args:
        kinds: The kinds that are served.
    """
    if not is_counting():
        return
    metrics = _metrics()
    for kind in kinds:
        for result in ("complete", "partial"):
            metrics.challenges.labels(kind, result, "")
        for error in ERROR_TYPES:
            metrics.challenges.labels(kind, "error", error)
        for histogram in (metrics.challenge, metrics.margin, metrics.fill):
            histogram.labels(kind)
        for name in FRAMES.values():
            metrics.frames.labels(kind, name)
    for event in EVENTS:
        metrics.events.labels(event)
    for queue_event in QUEUE_EVENTS:
        metrics.queue_events.labels(queue_event)


def count_queue_event(event: QueueEvent) -> None:
    """Count what happened to a message or a reply; for the worker's parent as well."""
    if is_counting():
        _metrics().queue_events.labels(event).inc()


def count_restart() -> None:
    """Count a child that was started in the place of another one."""
    if is_counting():
        _metrics().restarts.inc()


class _Metrics:
    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.stage = Histogram(
            "touchline_stage_seconds",
            "Duration of each stage; of stages that run beside others, the time they were busy",
            ("stage", "kind"),
            buckets=STAGE_BUCKETS,
        )
        self.challenge = Histogram(
            "touchline_challenge_seconds",
            "From the submission of a challenge to its answer in the worker",
            ("kind",),
            buckets=STAGE_BUCKETS,
        )
        self.margin = Histogram(
            "touchline_deadline_margin_seconds",
            "What was left until the deadline when the reply was sent",
            ("kind",),
            buckets=MARGIN_BUCKETS,
        )
        self.challenges = Counter(
            "touchline_challenges", "Challenges by how they ended", ("kind", "result", "error")
        )
        self.frames = Counter("touchline_frames", "Frames by what was done with them", ("kind", "what"))
        self.bytes = Counter("touchline_bytes", "Bytes of videos and of answers", ("what",))
        self.events = Counter("touchline_download_events", "What happened in downloads", ("event",))
        self.queue_events = Counter(
            "touchline_queue_events", "What happened to messages and replies besides", ("event",)
        )
        self.fill = Histogram(
            "touchline_batch_fill_ratio",
            "Share of BATCH_SIZE that the batches of a challenge had on average",
            ("kind",),
            buckets=FILL_BUCKETS,
        )
        self.restarts = Counter(
            "touchline_child_restarts", "Child processes started in the place of another one"
        )


@lru_cache(maxsize=1)
def _metrics() -> Any:
    return _Metrics()


def _folder() -> str:
    # written by use_folder, not a setting: prometheus_client reads it, too, in this process and its children
    return os.environ.get(FOLDER_VARIABLE, "")


def multiprocess_registry() -> Any:
    """A registry that adds up what all processes have counted.

    Raises:
        RuntimeError: `use_folder` was not called.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    if not is_counting():
        raise RuntimeError("nothing is counted: use_folder was not called")
    registry = CollectorRegistry()
    MultiProcessCollector(registry, _folder())  # type: ignore[no-untyped-call]
    return registry
