"""Stage times in the small form that Celery's result carries and Flower shows."""

from __future__ import annotations

from typing import Any

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
_FACTS = ("frames", "sampled", "protocol", "handshakes", "partial", "resumes")


def stage_summary(timeline: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds by stage and a few facts, from `Timeline.to_dict()`.

    Stages that run beside others count the time they were busy; all others from their start to their end.
    """
    stages = timeline["stages"]
    summary: dict[str, Any] = {"total_ms": round(timeline["total"] * 1000)}
    for stage in _SHOWN:
        if stage in stages:
            span = stages[stage]
            seconds = span["busy"] if stage in _BUSY else span["end"] - span["start"]
            summary[f"{stage}_ms"] = round(seconds * 1000, 1)
    summary |= {name: timeline["facts"][name] for name in _FACTS if name in timeline["facts"]}
    return summary
