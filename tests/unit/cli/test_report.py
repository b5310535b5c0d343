"""Which files `touchline report` finds timelines in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.report import read_timelines, write_report
from services.errors import ReportFailed

TIMELINE = {"stages": {"decode": {"start": 0, "end": 1, "busy": 1}}, "facts": {}, "total": 1.0}


def test_a_folder_gives_every_timeline_and_says_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(TIMELINE))
    (tmp_path / "two.json").write_text(json.dumps({"cold": TIMELINE, "warm": TIMELINE}))
    (tmp_path / "three.json").write_text(json.dumps({"challenge_id": "c-3", "timeline": TIMELINE}))
    (tmp_path / "answer.json").write_text('{"frames": []}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "strange.json").write_text('{"stages": {"decode": 3}}')
    found, skipped = read_timelines(tmp_path)
    assert sorted(found) == ["c-3", "cold", "one", "warm"]
    assert len(skipped) == 3


def test_a_missing_file_and_a_place_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    with pytest.raises(ReportFailed, match="no such file"):
        read_timelines(tmp_path / "missing.json")
    with pytest.raises(ReportFailed, match="cannot be written"):
        write_report({"a": TIMELINE}, tmp_path)
