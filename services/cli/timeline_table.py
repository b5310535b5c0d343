"""Timelines as tables: one column per challenge, one line per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

BUSY_STAGES = ("decode", "inference", "track")
"""Stages that run beside others: their own working time counts, not start to end."""
MOMENTS = ("index", "first_frame", "first_detections", "first_byte")
SHOWN_FACTS = ("protocol", "new_connection", "bytes", "frames", "plan", "sampled", "size", "partial")


def stage_seconds(timeline: Mapping[str, Any], stage: str) -> float | None:
    """What a stage took, in seconds; None when the timeline does not have it."""
    span = timeline.get("stages", {}).get(stage)
    if span is None:
        return None
    if stage in BUSY_STAGES:
        return float(span["busy"])
    return float(span["end"] - span["start"])


def timeline_table(timelines: Mapping[str, Mapping[str, Any]], title: str | None = None) -> Table:
    """A table of stages in milliseconds.

    Args:
        timelines: `Timeline.to_dict()` by the heading of its column.
        title: Stands above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    for name in timelines:
        table.add_column(f"{name} (ms)", justify="right")
    if len(timelines) == 2:
        table.add_column("difference", justify="right")
    for stage in _stages(list(timelines.values())):
        seconds = [stage_seconds(timeline, stage) for timeline in timelines.values()]
        table.add_row(_label(stage), *_cells(seconds))
    table.add_section()
    totals = [float(timeline["total"]) for timeline in timelines.values() if "total" in timeline]
    if len(totals) == len(timelines):
        table.add_row("total in the worker", *_cells(totals), style="bold")
    table.add_section()
    for fact in SHOWN_FACTS:
        values = [timeline.get("facts", {}).get(fact) for timeline in timelines.values()]
        if any(value is not None for value in values):
            spare = [""] if len(timelines) == 2 else []
            table.add_row(fact, *["" if value is None else str(value) for value in values], *spare)
    return table


def _stages(timelines: Sequence[Mapping[str, Any]]) -> list[str]:
    """All stages, in the order of the longest timeline, which has the most of them."""
    ordered = sorted(timelines, key=lambda timeline: -len(timeline.get("stages", {})))
    return list(dict.fromkeys(stage for timeline in ordered for stage in timeline.get("stages", {})))


def _label(stage: str) -> str:
    if stage in MOMENTS:
        return f"{stage} (after)"
    return f"{stage} (busy)" if stage in BUSY_STAGES else stage


def _cells(seconds: Sequence[float | None]) -> list[str]:
    cells = ["" if value is None else f"{value * 1000:.1f}" for value in seconds]
    if len(seconds) == 2:
        first, second = seconds
        both = first is not None and second is not None
        cells.append(f"{((first or 0) - (second or 0)) * 1000:+.1f}" if both else "")
    return cells
