from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.main import app

PASS = {"frame": 10, "action": "pass"}
SOCCER = {
    "kind": "soccer_action",
    "video_url": "https://x/y.mp4",
    "ground_truth": [PASS],
    "answer": {"challenge_id": "1", "processing_time": 1.0, "predictions": [PASS | {"frame": 15}]},
}


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that answer each challenge of actions alike, and have no answer to the others."""

    def submit(video_url: str, *, kind: str, challenge_id: str, **_: Any) -> SimpleNamespace:
        if kind == "gsr":
            answer: dict[str, Any] = {"frames": []}
        elif kind == "soccer_action":
            answer = {"prediction": {"type": "soccer_action", "items": [PASS]}}
        else:
            raise RuntimeError("no worker for it")
        body = json.dumps({"challenge_id": challenge_id, "processing_time": 1.0, **answer}).encode()
        return SimpleNamespace(wait=lambda: SimpleNamespace(body=body))

    monkeypatch.setattr("tasks.client.submit", submit)


def replayed(folder: Path, **files: Any) -> dict[str, dict[str, Any]]:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    done = CliRunner().invoke(app, ["replay", str(folder), "--json"])
    assert done.exit_code in (0, 1), done.output
    return {one["name"]: one for one in json.loads(done.stdout)["challenges"]}


@pytest.mark.usefixtures("workers")
def test_our_answer_is_scored_beside_the_stored_one(tmp_path: Path) -> None:
    found = replayed(tmp_path, one=SOCCER)["one.json"]
    assert (found["ours"], found["stored"]) == (1.0, pytest.approx(0.8))
    assert (found["same"], found["error"]) == (False, "")


@pytest.mark.usefixtures("workers")
def test_a_stored_answer_that_validators_cannot_read_scores_nothing(tmp_path: Path) -> None:
    unreadable = SOCCER | {"answer": {"challenge_id": 7, "processing_time": 1.0, "predictions": [PASS]}}
    found = replayed(tmp_path, one=unreadable)["one.json"]
    assert (found["ours"], found["stored"], found["error"]) == (1.0, 0.0, "")


@pytest.mark.usefixtures("workers")
def test_gsr_without_a_truth_is_compared_alone(tmp_path: Path) -> None:
    stored = {"challenge_id": "1", "frames": [], "processing_time": 2.0}
    found = replayed(tmp_path, one={"kind": "gsr", "video_url": "https://x/y.mp4", "answer": stored})
    assert (found["one.json"]["same"], found["one.json"]["ours"]) == (True, None)
    assert found["one.json"]["error"] == ""


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("{", "is not JSON"),
        ({"kind": "gsr"}, "video_url"),
        (SOCCER | {"kind": "chess"}, "RuntimeError: no worker for it"),
        (SOCCER | {"ground_truth": 3}, "not to be compared: the ground truth"),
        ({"kind": "gsr", "video_url": "x", "answer": {"frames": 3}}, "not to be compared"),
        ({"kind": "gsr", "video_url": "x", "answer": 3}, "not to be compared"),
    ],
)
def test_one_bad_file_is_told_in_its_row_and_the_others_are_replayed(
    tmp_path: Path, bad: Any, error: str
) -> None:
    found = replayed(tmp_path, bad=bad, good=SOCCER)
    assert error in found["bad.json"]["error"]
    assert found["good.json"]["ours"] == 1.0


@pytest.mark.usefixtures("workers")
def test_an_error_with_brackets_is_printed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(SOCCER | {"ground_truth": [PASS | {"frame": "[/x]"}]}))
    (tmp_path / "odd.json").write_text(json.dumps(SOCCER | {"challenge_id": "[/y]"}))
    done = CliRunner().invoke(app, ["replay", str(tmp_path)], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert "[/y]" in done.output
