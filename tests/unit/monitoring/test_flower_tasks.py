"""What Flower shows of a challenge."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest

import services.monitoring
from services.cli.flower import flower_argv
from services.errors import ConnectFailed
from services.monitoring.flower_access import login_for
from services.monitoring.flower_tasks import COLUMNS, error_text, format_task, short_id
from services.monitoring.outcome import Outcome
from services.settings import get_settings, load_settings
from services.timeline import Timeline
from tasks.events import compact, stage_summary

ARGS = "({'challenge_id': 'c-42', 'video_url': 'https://h/c.mp4', 'kind': 'gsr'}, 'token')"
CELL = 48
"""Characters that fit beside the other columns in 1440 pixels."""


@dataclass
class Task:
    args: str = ARGS
    kwargs: str = "{}"
    result: str | None = None
    exception: str | None = None


def reported(result: str = "complete") -> str:
    timeline = Timeline()
    timeline.add("queue", -0.003, 0.0)
    timeline.add("connect", 0.0, 0.0)
    timeline.add("first_frame", 0.0, 0.066)
    timeline.add("decode", 0.05, 0.6, 0.449)
    timeline.add("inference", 0.06, 0.6, 0.396)
    timeline.note(frames=750)
    outcome = Outcome("c-42", "gsr", result, timeline.to_dict() | {"total": 12.345})  # type: ignore[arg-type]
    return repr(stage_summary(outcome) | {"timeline": compact(outcome.timeline)})


def test_the_table_has_id_kind_and_stages_short_enough_for_its_cells() -> None:
    shown = format_task(Task(result=reported()))
    assert shown.args == "c-42 (gsr)"
    assert COLUMNS["kwargs"] == "q / conn / first / dec / inf / total ms"
    assert shown.kwargs == "3 / 0 / 66 / 449 / 396 / 12345"
    assert len(shown.kwargs + ", partial") <= CELL
    assert short_id("946e3f4bfdb04889b71b2f1913fd4c09") == "946e3f4…fd4c09"


def test_the_page_of_the_task_has_the_whole_timeline() -> None:
    lines = format_task(Task(result=reported())).result.splitlines()
    assert "frames: 750" in lines
    assert any(line.startswith("inference ") and "busy 396" in line for line in lines)


def test_partial_joined_and_stored_answers_are_named() -> None:
    assert format_task(Task(result=reported("partial"))).kwargs.endswith(", partial")
    assert format_task(Task(result=reported("joined"))).kwargs == "joined"


def test_a_failure_shows_type_and_stage() -> None:
    shown = format_task(Task(exception=repr(ConnectFailed('nobody\'s "there"'))))
    assert shown.kwargs == "ConnectFailed in connect"
    assert "nobody" in str(shown.result)
    assert error_text("KeyError('x')") == "KeyError('x')"


@pytest.mark.parametrize("text", ["{'total_ms': 12, 'que...", "None", "[1, 2]", "plain", "{'other': 1}"])
def test_what_is_no_summary_stays_as_it_is(text: str) -> None:
    assert format_task(Task(result=text)).result == text
    assert format_task(Task(args="(1,)", result=text)).args == "(1,)"


def test_a_challenge_that_has_only_begun_has_its_id() -> None:
    shown = format_task(Task())
    assert (shown.args, shown.kwargs, shown.result) == ("c-42 (gsr)", "", None)


def flower_config(monkeypatch: pytest.MonkeyPatch, **env: str) -> dict[str, object]:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    try:
        return runpy.run_path(str(Path(services.monitoring.__path__[0]) / "flower_config.py"))
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()


def test_the_configuration_suits_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    config = flower_config(monkeypatch, FLOWER_BASIC_AUTH="admin:secret")
    assert config["basic_auth"] == ["admin:secret"]
    assert config["max_tasks"] == 5000
    assert config["persistent"] is False
    buckets = config["task_runtime_metric_buckets"]
    assert isinstance(buckets, list)
    assert {type(bound) for bound in buckets} == {float}
    columns = str(config["tasks_columns"]).split(",")
    assert columns.index("state") < columns.index("kwargs") < columns.index("uuid")


def test_a_history_is_kept_where_a_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    config = flower_config(monkeypatch, FLOWER_BASIC_AUTH="a:b", FLOWER_DB="/data/flower")
    assert (config["persistent"], config["db"]) == (True, "/data/flower")


def test_outside_the_loopback_there_is_always_a_password(caplog: pytest.LogCaptureFixture) -> None:
    assert login_for(None, "127.0.0.1") is None
    assert login_for(None, "localhost") is None
    assert login_for("a:b", "0.0.0.0") == "a:b"
    for address in ("0.0.0.0", "", "192.0.2.1", "::"):
        made = login_for(None, address)
        assert made is not None
        assert made.removeprefix("touchline:") in caplog.text
    assert login_for(None, "0.0.0.0") != login_for(None, "0.0.0.0")


def test_the_port_comes_from_the_settings_unless_it_is_given() -> None:
    settings = load_settings(flower_port=1234)
    assert "--port=1234" in flower_argv(settings)
    argv = flower_argv(settings, "0.0.0.0", 99)
    assert {"--port=99", "--address=0.0.0.0"} < set(argv)
    conf = next(word for word in argv if word.startswith("--conf=")).removeprefix("--conf=")
    assert Path(conf).is_file()
