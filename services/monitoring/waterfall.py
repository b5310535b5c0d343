"""A timeline as a waterfall in the terminal: one line per stage, on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.timeline import STAGES, VERSION

WIDTH = 48
"""Characters of the axis: the lines fit a terminal of 80 columns."""
BUSY_SHARE = 0.95
"""Share of a stage's duration from which on it counts as busy all the time."""
MOMENTS = ("index", "first_frame", "first_detections")
"""Stages that say when something first happened: they are points, not bars."""


def waterfall(timeline: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """The lines.

    A bar covers start to end; `▒` is a stage that waited meanwhile, `█` one that was busy throughout, and
    `◆` the moment at which something first happened.

    Args:
        timeline: `Timeline.to_dict()`; one of another version is shown as far as its stages are known.
        width: Characters of the axis.
    """
    stages = timeline.get("stages", {})
    if not stages:
        return ["no stages were measured"]
    begin = min(0.0, *(float(span["start"]) for span in stages.values()))
    end = max(float(timeline.get("total", 0.0)), *(float(span["end"]) for span in stages.values()))
    scale = width / max(end - begin, 1e-6)
    names = [stage for stage in STAGES if stage in stages]
    names += [stage for stage in stages if stage not in STAGES]
    lines = [_line(name, stages[name], begin, scale, width) for name in names]
    lines.append(f"{'total':18} {(end - begin) * 1000:9.1f} ms")
    older = older_version(timeline)
    return [older, *lines] if older else lines


def older_version(timeline: Mapping[str, Any]) -> str:
    """A sentence about a timeline of another version; empty for one of this version."""
    version = timeline.get("version", 1)
    if version == VERSION:
        return ""
    return f"this timeline has version {version}, not {VERSION}: stages that it lacks are left out"


def _line(name: str, span: Mapping[str, float], begin: float, scale: float, width: int) -> str:
    start, end, busy = float(span["start"]), float(span["end"]), float(span["busy"])
    first = min(width - 1, int((start - begin) * scale))
    last = min(width, max(first + 1, round((end - begin) * scale)))
    if name in MOMENTS:
        at = min(width - 1, last - 1)
        bar, shown = " " * at + "◆", end
    else:
        full = busy >= BUSY_SHARE * (end - start)
        empty = end - start <= 0
        bar = " " * first + ("·" if empty else ("█" if full else "▒") * (last - first))
        shown = end - start
    text = f"{name:18} {shown * 1000:9.1f} ms |{bar:{width}}|"
    if name not in MOMENTS and busy < BUSY_SHARE * (end - start):
        text += f" busy {busy * 1000:.0f}"
    return text
