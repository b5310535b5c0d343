"""Timelines as waterfalls in the terminal."""

from __future__ import annotations

from typing import Any

from services.monitoring.waterfall import waterfall
from services.timeline import Timeline

OLD: dict[str, Any] = {
    "stages": {
        "decode": {"start": 1.0, "end": 2.0, "busy": 0.5},
        "download": {"start": 0.0, "end": 1.0, "busy": 1.0},
        "first_frame": {"start": 0.0, "end": 1.0, "busy": 1.0},
        "own": {"start": 1.5, "end": 2.0, "busy": 0.5},
    },
    "total": 2.0,
}


def test_bars_stand_on_one_axis_in_the_order_of_the_pipeline() -> None:
    lines = waterfall(OLD, width=20)[1:]
    assert [line.split()[0] for line in lines] == ["download", "first_frame", "decode", "own", "total"]
    bars = [line.split("|")[1] for line in lines[:-1]]
    assert bars[0] == "█" * 10 + " " * 10
    assert bars[1].strip() == "◆"
    assert bars[2] == " " * 10 + "▒" * 10
    assert "busy 500" in lines[2]


def test_an_older_timeline_is_shown_and_named() -> None:
    assert "version 1" in waterfall(OLD)[0]
    new = Timeline()
    new.add("encode", 0.0, 0.1)
    assert "version" not in waterfall(new.to_dict())[0]


def test_an_empty_timeline_says_so() -> None:
    assert waterfall({}) == ["no stages were measured"]
