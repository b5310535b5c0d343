from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app

TRUTH = [{"frame": 100, "action": "pass"}, {"frame": 300, "action": "goal"}]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    answer = {
        "prediction": {"type": "soccer_action", "items": [{"frame": 106, "action": "pass", "confidence": 1}]}
    }
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    return [str(tmp_path / "answer.json"), str(tmp_path / "truth.json")]


def test_the_score_comes_with_what_was_lost_where(files: list[str]) -> None:
    done = CliRunner().invoke(app, ["score", *files, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["score"] == pytest.approx(0.76 / 11.9)
    assert found["losses"]["goal"]["missed"] == pytest.approx(10.9 / 11.9)
    assert found["losses"]["pass"]["late"] == pytest.approx(0.24 / 11.9)


def test_the_price_of_a_delay_is_shown(files: list[str]) -> None:
    done = CliRunner().invoke(app, ["score", *files], env={"COLUMNS": "160"})
    assert "official score of soccer_action: 0.0639" in done.output
    assert "0.100 of a weight of 1" in done.output


def test_what_is_no_answer_is_said(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("{")
    done = CliRunner().invoke(app, ["score", *files])
    assert done.exit_code == 2
    assert "no JSON" in done.output.replace("│", "").replace("\n", "")
