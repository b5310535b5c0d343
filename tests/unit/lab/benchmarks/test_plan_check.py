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


def as_if_real(workers: int) -> PlanCheck:
    """A run that a queue with this many workers would have had."""
    rng = np.random.default_rng(5)
    arrivals = poisson(0.7 * 2 / 0.667 * 3600, 200, rng)
    own = rng.choice(TIMES, 200)
    outcome = simulate(arrivals, own, workers)
    found = [
        Answered(took, waited, b"", {}) for took, waited in zip(outcome.took, outcome.waited, strict=True)
    ]
    return compare(7500.0, arrivals, TIMES, found)


def test_a_run_of_such_a_queue_is_inside() -> None:
    check = as_if_real(2)
    assert check.replay_error_s == pytest.approx(0.0, abs=1e-9)
    assert sum(row.inside for row in check.predicted) >= len(check.predicted) - 1
    assert all(row.replayed_s == pytest.approx(row.measured_s) for row in check.predicted)


def test_a_run_of_another_queue_is_not() -> None:
    check = as_if_real(1)
    assert check.replay_error_s > 1
    assert not any(row.inside for row in check.predicted)
    assert all(row.replayed_s < row.measured_s / 2 for row in check.predicted)


def test_the_report_says_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = as_if_real(1)
    report(check, tmp_path)
    assert "OUTSIDE" in capsys.readouterr().out
    assert json.loads((tmp_path / "plan-check.json").read_text())["count"] == 200
    assert "0.667 s before" in notes(check)[0]


def test_the_option_reaches_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []

    def run(device: str, env: dict[str, str], say: Any, *, quick: bool) -> PlanCheck:
        seen.append((device, env, quick))
        return as_if_real(2)

    monkeypatch.setattr("touchline_lab.benchmarks.plan_check.run_check", run)
    words = ["bench", "--check-plan", "--device", "cuda:1", "--set", "IMG_SIZE=640", "--quick"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert seen == [("cuda:1", {"IMG_SIZE": "640"}, True)]
