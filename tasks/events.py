"""How a challenge ended, in the small form that Celery's events carry, Flower shows, and the log line has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.monitoring.outcome import Outcome

_BUSY = ("decode", "inference")
_SHOWN = (
    "queue",
    "connect",
    "first_byte",
    "download",
    "first_frame",
    "decode",
    "inference",
    "fill",
    "encode",
)
_FACTS = ("frames", "sampled", "bytes", "protocol", "plan", "handshakes", "resumes", "retries")


def stage_summary(outcome: Outcome) -> dict[str, Any]:
    """Milliseconds by stage and a few facts.

    Stages that run beside others count the time they were busy; all others from their start to their end.
    """
    stages, facts = outcome.timeline.get("stages", {}), outcome.timeline.get("facts", {})
    summary: dict[str, Any] = {
        "challenge_id": outcome.challenge_id,
        "kind": outcome.kind,
        "result": outcome.result,
        "error": outcome.error,
        "stage": outcome.stage,
        "total_ms": round(outcome.timeline.get("total", 0.0) * 1000),
    }
    for stage in _SHOWN:
        if stage in stages:
            span = stages[stage]
            seconds = span["busy"] if stage in _BUSY else span["end"] - span["start"]
            summary[f"{stage}_ms"] = round(seconds * 1000, 1)
    return summary | {name: facts[name] for name in _FACTS if name in facts}


def compact(timeline: Mapping[str, Any]) -> str:
    """A timeline as JSON without facts, in tenths of milliseconds: Celery cuts off what is nested or long."""
    stages = {
        stage: {name: round(seconds, 4) for name, seconds in span.items()}
        for stage, span in timeline.get("stages", {}).items()
    }
    total = timeline.get("total", 0.0)
    return json.dumps({"version": timeline.get("version"), "stages": stages, "total": total})
