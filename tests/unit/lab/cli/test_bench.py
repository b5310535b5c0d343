from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.errors import SettingsError
from touchline_lab.benchmarks.job import Context
from touchline_lab.benchmarks.process import MethodProcess
from touchline_lab.benchmarks.worker import METHODS


def test_options_reach_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("touchline_lab.benchmarks.bench.run_bench", lambda options, say: seen.append(options))
    monkeypatch.setattr("touchline_lab.benchmarks.report.report", lambda results, out: None)
    words = ["bench", "--links", "seed, r40", "--cc", "bbr", "--rounds", "2", "--set", "FRAME_STRIDE=3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert (seen[0].links, seen[0].congestion, seen[0].rounds) == (("seed", "r40"), ("bbr",), 2)
    assert seen[0].env == {"FRAME_STRIDE": "3"}


def test_the_device_reaches_the_process_of_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("touchline_lab.benchmarks.bench.run_bench", lambda options, say: seen.append(options))
    monkeypatch.setattr("touchline_lab.benchmarks.report.report", lambda results, out: None)
    assert CliRunner().invoke(app, ["bench", "--device", "cuda:1"]).exit_code == 0
    started: list[list[str]] = []
    monkeypatch.setattr(MethodProcess, "_read", lambda self: {})
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **_: started.append(argv) or MagicMock())
    place = MagicMock(ca_file="ca.pem", inside=list)
    for name in METHODS:
        with NamedTemporaryFile() as log:
            MethodProcess(name, place, seen[0].device, {}, Path(log.name))
    assert [argv[-3:] for argv in started] == [[name, "ca.pem", "cuda:1"] for name in METHODS]
    assert Context("ca.pem", "cuda:1").settings().device == "cuda:1"


def test_an_unknown_setting_is_refused() -> None:
    result = CliRunner().invoke(app, ["bench", "--set", "STRIDES=3"])
    assert isinstance(result.exception, SettingsError)


@pytest.mark.parametrize("options", [[], ["--url", "https://host/clip.mp4"], ["--scale"], ["--check-plan"]])
def test_a_profile_is_a_setting_and_no_option_of_its_own(options: list[str]) -> None:
    """There was a `--profile` for a setting that never came: it ended in an error, whatever was given."""
    result = CliRunner().invoke(app, ["bench", *options, "--profile", "snap"])
    assert "No such option" in result.output
