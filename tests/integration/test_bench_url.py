"""`touchline bench --url`: the reference miner against Touchline on one URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_cli import touchline
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration


def test_one_method_answers_a_url_and_the_table_is_written(
    origin: DemoOrigin, clip_url: str, tmp_path: Path
) -> None:
    done = touchline(
        "bench",
        "--url",
        clip_url,
        "--quick",
        "--methods",
        "touchline-warm",
        "--out",
        str(tmp_path),
        CA_FILE=str(origin.ca_file),
    )
    assert done.returncode == 0, done.stderr
    (condition,) = json.loads((tmp_path / "bench.json").read_text())["conditions"]
    assert set(condition["rows"]) == {"touchline-warm"}
    assert all(row["answer_s"] > 0 for rows in condition["rows"].values() for row in rows)
    assert "touchline-warm" in (tmp_path / "bench.md").read_text()


def test_a_clip_that_the_origin_does_not_give_is_said_plainly(origin: DemoOrigin, tmp_path: Path) -> None:
    done = touchline(
        "bench",
        "--url",
        origin.url("missing.mp4"),
        "--quick",
        "--out",
        str(tmp_path),
        CA_FILE=str(origin.ca_file),
    )
    assert done.returncode == 1
    assert "SourceRejected" in done.stderr
    assert "Traceback" not in done.stderr
