"""What Flower's task table shows for a challenge."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

import services.monitoring
from services.cli.flower import flower_argv
from services.monitoring.flower_tasks import format_task, stage_text
from services.settings import get_settings, load_settings
from tasks.events import stage_summary

STAGES = {
    "total_ms": 1234,
    "queue_ms": 3.2,
    "connect_ms": 0.0,
    "first_byte_ms": 8.8,
    "download_ms": 304.0,
    "decode_ms": 700.4,
    "inference_ms": 1200.0,
    "fill_ms": 20.1,
    "encode_ms": 5.0,
    "frames": 750,
}
SHORT = "q 3, conn 0, load 304, dec 700, inf 1200, fill 20 ms"
CELL = 52


@dataclass
class Task:
    result: str | None = None
    exception: str | None = None


def test_stages_become_one_readable_line() -> None:
    assert stage_text(repr(STAGES)) == f"{SHORT} | first_byte 9, encode 5 | total 1234 ms, 750 frames"


def test_the_stages_that_matter_fit_into_flowers_cell() -> None:
    assert len(SHORT) <= CELL


def test_facts_follow_the_times() -> None:
    text = stage_text(
        repr(STAGES | {"partial": True, "handshakes": 1, "protocol": "HTTP/2", "resumed": False})
    )
    assert text.endswith("| total 1234 ms, 750 frames, partial, handshakes 1")


def test_what_the_worker_reports_is_understood() -> None:
    timeline = {
        "stages": {"decode": {"start": 0.0, "end": 2.0, "busy": 0.7}},
        "facts": {"frames": 100, "partial": False},
        "total": 1.5,
    }
    assert stage_text(repr(stage_summary(timeline))) == "dec 700 ms | total 1500 ms, 100 frames"


@pytest.mark.parametrize("text", ["{'total_ms': 12, 'que...", "None", "[1, 2]", "plain", "{'other': 1}", ""])
def test_other_results_stay_as_they_are(text: str) -> None:
    assert stage_text(text) == text


def test_an_error_dict_names_type_and_stage() -> None:
    assert stage_text("{'error': 'ConnectFailed', 'stage': 'connect'}") == "ConnectFailed in connect"


def test_a_failed_task_shows_its_error_in_the_result_column() -> None:
    assert format_task(Task(exception="ConnectFailed('no')")).result == "ConnectFailed('no')"
    assert format_task(Task(result=repr(STAGES))).result.startswith("q 3, conn 0")
    assert format_task(Task()).result is None


def flower_config(monkeypatch: pytest.MonkeyPatch, login: str) -> dict[str, object]:
    monkeypatch.setenv("FLOWER_BASIC_AUTH", login)
    get_settings.cache_clear()
    try:
        return runpy.run_path(str(Path(services.monitoring.__path__[0]) / "flower_config.py"))
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


def test_the_configuration_asks_for_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    assert flower_config(monkeypatch, "admin:secret")["basic_auth"] == ["admin:secret"]
    assert flower_config(monkeypatch, "")["basic_auth"] == []


def test_the_configuration_suits_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    config = flower_config(monkeypatch, "")
    assert config["max_tasks"] == 5000
    buckets = config["task_runtime_metric_buckets"]
    assert isinstance(buckets, list)
    assert {type(bound) for bound in buckets} == {float}
    columns = str(config["tasks_columns"]).split(",")
    assert columns.index("runtime") < columns.index("result") < columns.index("uuid")


def test_the_port_comes_from_the_settings_unless_it_is_given() -> None:
    settings = load_settings(flower_port=1234)
    assert "--port=1234" in flower_argv(settings)
    argv = flower_argv(settings, "0.0.0.0", 99)
    assert {"--port=99", "--address=0.0.0.0"} < set(argv)
    conf = next(word for word in argv if word.startswith("--conf=")).removeprefix("--conf=")
    assert Path(conf).is_file()
