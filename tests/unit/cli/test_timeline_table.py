"""Timelines as tables."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from services.cli.timeline_table import stage_seconds, timeline_table
from services.timeline import Timeline


def span(start: float, end: float, busy: float) -> dict[str, float]:
    return {"start": start, "end": end, "busy": busy}


COLD: dict[str, Any] = {
    "stages": {
        "connect": span(0.0, 1.2, 1.2),
        "first_frame": span(0.0, 2.5, 2.5),
        "decode": span(2.4, 4.4, 0.8),
    },
    "facts": {"protocol": "HTTP/2", "new_connection": 1},
    "total": 5.0,
}
WARM: dict[str, Any] = {
    "stages": {"first_frame": span(0.0, 0.1, 0.1), "decode": span(0.0, 2.0, 0.8)},
    "facts": {"new_connection": 0, "partial": False},
    "total": 2.5,
}


def lines(*timelines: dict[str, Any]) -> dict[str, list[str]]:
    """The table's cells by the text of the first one."""
    out = io.StringIO()
    names = ["cold", "warm"][: len(timelines)]
    table = timeline_table(dict(zip(names, timelines, strict=True)))
    Console(file=out, width=120).print(table)
    rows = [[c.strip() for c in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_stages_that_run_beside_others_count_their_work() -> None:
    assert stage_seconds(COLD, "decode") == 0.8
    assert stage_seconds(COLD, "connect") == 1.2
    assert stage_seconds(WARM, "connect") is None


def test_two_timelines_stand_side_by_side_with_their_difference() -> None:
    table = lines(COLD, WARM)
    assert table["connect"] == ["1200.0", "", ""]
    assert table["first_frame (after)"] == ["2500.0", "100.0", "+2400.0"]
    assert table["decode (busy)"] == ["800.0", "800.0", "+0.0"]
    assert table["total in the worker"] == ["5000.0", "2500.0", "+2500.0"]
    assert table["new_connection"] == ["1", "0", ""]
    assert table["partial"] == ["", "False", ""]


def test_one_timeline_has_one_column() -> None:
    assert lines(COLD)["connect"] == ["1200.0"]


def test_a_real_timeline_is_shown_in_its_own_order() -> None:
    timeline = Timeline()
    timeline.add("encode", 0.5, 0.6)
    timeline.add("connect", 0.0, 0.2)
    timeline.note(frames=750)
    table = lines(timeline.to_dict())
    order = [name for name in table if name in ("connect", "encode", "frames")]
    assert order == ["connect", "encode", "frames"]
    assert table["encode"] == ["100.0"]


def test_an_empty_timeline_is_an_empty_table() -> None:
    assert "total in the worker" not in lines({})
