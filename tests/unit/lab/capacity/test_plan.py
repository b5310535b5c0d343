from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.errors import SettingsError
from touchline_lab.capacity.measured import read_file, read_times
from touchline_lab.capacity.plan import Demand, enough, outlooks

SCALE = {
    "points": [
        {"name": "10 s", "service_s": [1.0, 1.2]},
        {"name": "30 s", "service_s": [2.5, 2.9]},
    ]
}


def test_a_burst_of_eight_needs_four_workers_if_each_manages_two_before_the_deadline() -> None:
    demand = Demand(per_hour=8, deadline_s=5.0, percentile=100, burst=8)
    found = outlooks(demand, [2.0], 6, 80, 0)
    # 8 challenges of 2 s: in 5 s a worker ends two, so four are needed
    needed = enough(found, demand)
    assert needed is not None
    assert needed.workers == 4
    assert [outlook.missed for outlook in found] == [0.75, 0.5, 0.25, 0, 0, 0]
    assert needed.waited_s[99] == pytest.approx(2.0)


def test_a_few_misses_are_allowed_below_100_per_cent() -> None:
    demand = Demand(per_hour=8, deadline_s=5.0, percentile=75, burst=8)
    needed = enough(outlooks(demand, [2.0], 6, 80, 0), demand)
    assert needed is not None
    assert needed.workers == 3


def test_no_number_of_workers_is_enough_if_all_miss_the_deadline() -> None:
    demand = Demand(per_hour=7200, deadline_s=3.0)
    assert enough(outlooks(demand, [2.0], 2, 1000, 0), demand) is None


def test_more_workers_are_never_worse_and_a_seed_repeats_itself() -> None:
    demand = Demand(per_hour=1500, deadline_s=8.0)
    found = outlooks(demand, [1.5, 2.0, 4.0], 5, 3000, 3)
    assert found == outlooks(demand, [1.5, 2.0, 4.0], 5, 3000, 3)
    assert found != outlooks(demand, [1.5, 2.0, 4.0], 5, 3000, 4)
    for fewer, more in zip(found, found[1:], strict=False):
        assert more.missed <= fewer.missed
        assert more.took_s[99] <= fewer.took_s[99]


def test_service_times_are_read_from_a_scale_run(tmp_path: Path) -> None:
    path = tmp_path / "scale.json"
    path.write_text(json.dumps(SCALE))
    assert read_file(path) == (1.0, 1.2)
    assert read_file(path, "30 s") == (2.5, 2.9)
    with pytest.raises(SettingsError, match="10 s, 30 s"):
        read_file(path, "60 s")


def test_service_times_are_read_from_a_bench_run(tmp_path: Path) -> None:
    rows = {
        "touchline-celery": [{"answer_s": 2.5}, {"answer_s": 2.6}],
        "reference-miner": [{"answer_s": 11.0}],
    }
    condition = {"link": "seed", "congestion": "cubic", "rows": rows}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"conditions": [condition]}))
    assert read_file(path, "seed/cubic") == (2.5, 2.6)


@pytest.mark.parametrize("text", ["", "2,x", "0", "-1,2", "nan", "inf"])
def test_text_without_positive_seconds_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="service times"):
        read_times(text)


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_file_without_service_times_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "scale.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=r"scale\.json"):
        read_file(path)


def test_the_command_prints_the_number_of_workers() -> None:
    words = [
        "plan",
        "--per-hour",
        "8",
        "--burst",
        "8",
        "--deadline",
        "5",
        "--service",
        "2,2",
        "--count",
        "800",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "needed: 4 workers" in result.stderr
    assert "only 2 service times" in result.stderr
    assert "75.00%" in result.stdout
    data = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert data["needed"] == 4
    assert [found["workers"] for found in data["workers"]] == list(range(1, 9))


def test_the_command_fails_if_no_number_of_workers_is_enough() -> None:
    words = ["plan", "--per-hour", "7200", "--service", "2", "--workers", "2", "--count", "500"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "too few" in result.stderr


def test_the_command_requires_one_source_of_service_times() -> None:
    assert isinstance(CliRunner().invoke(app, ["plan", "--per-hour", "8"]).exception, SettingsError)
