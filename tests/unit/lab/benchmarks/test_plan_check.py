from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.main import app
from touchline_lab.benchmarks.plan_check import PlanCheck, compare
from touchline_lab.benchmarks.plan_check_report import notes, report
from touchline_lab.benchmarks.system import Answered
from touchline_lab.capacity.arrivals import poisson
from touchline_lab.capacity.queue import simulate

TIMES = [0.5, 0.6, 0.9]


def check_of_simulated_run(workers: int) -> PlanCheck:
    """The check of a run that was itself simulated, with this many workers."""
    rng = np.random.default_rng(5)
    arrivals = poisson(0.7 * 2 / 0.667 * 3600, 200, rng)
    own = rng.choice(TIMES, 200)
    outcome = simulate(arrivals, own, workers)
    found = [
        Answered(took, waited, b"", {}) for took, waited in zip(outcome.took, outcome.waited, strict=True)
    ]
    return compare(7500.0, arrivals, TIMES, found)


def test_a_run_with_as_many_workers_as_planned_lies_inside_the_predicted_band() -> None:
    check = check_of_simulated_run(2)
    assert check.replay_error_s == pytest.approx(0.0, abs=1e-9)
    assert sum(row.inside for row in check.predicted) >= len(check.predicted) - 1
    assert all(row.replayed_s == pytest.approx(row.measured_s) for row in check.predicted)


def test_a_run_with_fewer_workers_lies_outside() -> None:
    check = check_of_simulated_run(1)
    assert check.replay_error_s > 1
    assert not any(row.inside for row in check.predicted)
    assert all(row.replayed_s < row.measured_s / 2 for row in check.predicted)


def test_the_report_marks_what_lies_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = check_of_simulated_run(1)
    report(check, tmp_path)
    assert "OUTSIDE" in capsys.readouterr().out
    assert json.loads((tmp_path / "plan-check.json").read_text())["count"] == 200
    assert "0.667 s before" in notes(check)[0]


def test_the_options_reach_the_plan_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []

    def run(device: str, env: dict[str, str], say: Any, *, quick: bool) -> PlanCheck:
        seen.append((device, env, quick))
        return check_of_simulated_run(2)

    monkeypatch.setattr("touchline_lab.benchmarks.plan_check.run_check", run)
    words = ["bench", "--check-plan", "--device", "cuda:1", "--set", "IMG_SIZE=640", "--quick"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert seen == [("cuda:1", {"IMG_SIZE": "640"}, True)]
