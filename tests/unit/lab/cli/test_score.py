from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from tests.support.videos import make_video

TRUTH = [{"frame": 100, "action": "pass"}, {"frame": 300, "action": "goal"}]


def plain(output: str) -> str:
    """The text of an error without the frame and the line breaks around it."""
    return " ".join(output.replace("│", " ").split())


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
    assert "official score of answer.json (soccer_action): 0.0639" in done.output
    assert "0.100 of a weight of 1" in done.output


def test_a_file_that_is_not_json_is_named(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("{")
    done = CliRunner().invoke(app, ["score", *files])
    assert done.exit_code == 2
    assert "is not JSON" in plain(done.output)


def test_folders_are_scored_by_name_with_their_mean(tmp_path: Path) -> None:
    truth = [{"frame": 100, "action": "pass"}]
    for name, frame in (("one", 100), ("two", 110)):
        for folder, content in (("answers", [{"frame": frame, "action": "pass"}]), ("truths", truth)):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.json").write_text(json.dumps(content))
    folders = [str(tmp_path / "answers"), str(tmp_path / "truths")]
    done = CliRunner().invoke(app, ["score", *folders, "--json"])
    found = json.loads(done.output)
    assert [one["name"] for one in found["answers"]] == ["one.json", "two.json"]
    assert found["score"] == pytest.approx((1.0 + 0.6) / 2)
    assert found["answers"][1]["timings"] == {"+0.4": {"actions": 1, "lost": pytest.approx(0.4)}}

    (tmp_path / "truths" / "two.json").unlink()
    refused = CliRunner().invoke(app, ["score", *folders])
    assert "no file named two" in plain(refused.output)


def test_the_keypoint_score_of_an_answer_to_a_clip(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(make_video(frames=3))
    frames = [{"frame_number": 0, "keypoints": [[0.0, 0.0]] * 32, "objects": []}]
    (tmp_path / "answer.json").write_text(json.dumps({"challenge_id": "1", "frames": frames}))
    files = [str(tmp_path / "answer.json"), str(tmp_path / "clip.mp4")]
    done = CliRunner().invoke(app, ["score", *files, "--kind", "gsr", "--json"])
    found = json.loads(done.output)
    assert found["score"] == 0.0, "without keypoints there is no homography"
    assert set(found["losses"]) >= {"fit", "lines", "inside", "valid"}

    (tmp_path / "answer.json").write_text("[]")
    refused = CliRunner().invoke(app, ["score", *files, "--kind", "gsr"])
    assert "no list of frames" in plain(refused.output)
