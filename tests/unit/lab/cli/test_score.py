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


def test_every_action_is_told_with_its_timing_and_what_a_shift_would_give(files: list[str]) -> None:
    found = json.loads(CliRunner().invoke(app, ["score", *files, "--json"]).output)
    assert (found["matched"], found["given"], found["expected"]) == (1, 1, 2)
    assert found["unlimited"] == found["score"]
    late, missed = found["actions"]
    assert late["late_s"] == 0.24
    assert (late["given"], late["true"], late["share"]) == (106, 100, pytest.approx(0.76))
    assert (missed["action"], missed["given"], missed["true"]) == ("goal", None, 300)
    assert [one["seconds"] for one in found["shifts"]] == [tenths / 10 for tenths in range(-5, 6)]
    assert found["shifts"][5]["score"] == found["score"]
    moved = pytest.approx(0.96 / 11.9)
    assert found["shifts"][3] == {"seconds": -0.2, "frames": -5, "score": moved, "unlimited": moved}


def test_the_tables_fit_into_eighty_columns_and_show_the_price_of_a_delay(files: list[str]) -> None:
    done = CliRunner().invoke(app, ["score", *files], env={"COLUMNS": "80"})
    assert "official score of answer.json (soccer_action): 0.0639" in done.output
    assert "1 actions given, 2 expected, 1 matched" in plain(done.output)
    assert "0.100 of a weight of 1" in done.output
    for wanted in ("Each action", "+0.24", "missed", "Points lost by timing", "-13"):
        assert wanted in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_an_answer_that_is_not_json_is_a_time_out_and_scores_nothing(
    files: list[str], tmp_path: Path
) -> None:
    (tmp_path / "answer.json").write_text("{")
    found = json.loads(CliRunner().invoke(app, ["score", *files, "--json"]).output)
    assert found["score"] == 0.0
    assert "the answer is not JSON" in found["reason"]
    assert "scores 0: the answer is not JSON" in plain(CliRunner().invoke(app, ["score", *files]).output)


def test_a_ground_truth_that_is_not_json_is_named(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("{")
    done = CliRunner().invoke(app, ["score", *files])
    assert done.exit_code == 2
    # a long path is broken into lines anywhere
    assert "truth.jsonisnotJSON" in plain(done.output).replace(" ", "")


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
    assert "hasnothingfortwo.json" in plain(refused.output).replace(" ", "")


def test_a_folder_is_printed_as_one_row_for_each_answer(tmp_path: Path) -> None:
    for folder in ("answers", "truths"):
        (tmp_path / folder).mkdir()
        for name in ("bad", "good"):
            (tmp_path / folder / f"{name}.json").write_text('[{"frame": 5, "action": "pass"}]')
    (tmp_path / "answers" / "bad.json").write_text("[3]")
    done = CliRunner().invoke(app, ["score", str(tmp_path / "answers"), str(tmp_path / "truths")])
    bad, good = (line for line in done.output.splitlines() if ".json" in line)
    assert "0.0000" in bad
    assert "counts as a" in bad
    assert "1.0000" in good
    assert "mean of 2 answers: 0.5000" in done.output


@pytest.fixture
def clip(tmp_path: Path) -> list[str]:
    (tmp_path / "clip.mp4").write_bytes(make_video(frames=3))
    frames = [{"frame_number": 0, "keypoints": [[0.0, 0.0]] * 32, "objects": []}]
    (tmp_path / "answer.json").write_text(json.dumps({"challenge_id": "1", "frames": frames}))
    return [str(tmp_path / "answer.json"), str(tmp_path / "clip.mp4"), "--kind", "gsr"]


def test_the_keypoint_score_of_an_answer_to_a_clip(clip: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["score", *clip, "--json"])
    found = json.loads(done.output)
    assert (found["score"], found["reason"]) == (0.0, ""), "without keypoints there is no homography"
    assert set(found["losses"]) >= {"fit", "lines", "inside", "valid"}

    (tmp_path / "answer.json").write_text("[]")
    assert json.loads(CliRunner().invoke(app, ["score", *clip, "--json"]).output)["score"] == 0.0


@pytest.mark.parametrize(("frames", "why"), [("3:", "none of those"), ("5", "is not START:STOP")])
def test_frames_that_the_clip_does_not_have_are_refused(clip: list[str], frames: str, why: str) -> None:
    done = CliRunner().invoke(app, ["score", *clip, "--frames", frames])
    assert done.exit_code == 2
    # a long path is broken into lines anywhere
    assert why.replace(" ", "") in plain(done.output).replace(" ", "")


def test_a_name_that_is_not_an_action_is_said(files: list[str], tmp_path: Path) -> None:
    items = [{"frame": 100, "action": "Pass"}, {"frame": 300, "action": "goal"}]
    (tmp_path / "answer.json").write_text(json.dumps(items))
    assert json.loads(CliRunner().invoke(app, ["score", *files, "--json"]).output)["skipped"] == ["Pass"]
    assert "not names of actions: 'Pass'" in plain(CliRunner().invoke(app, ["score", *files]).output)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"frame": -1, "action": "pass"}, "frame"),
        ({"frame": 5, "action": "pass", "confidence": 2}, "confidence"),
    ],
)
def test_an_action_that_cannot_be_read_is_named(
    files: list[str], tmp_path: Path, item: dict[str, object], why: str
) -> None:
    answer = {"challenge_id": "1", "processing_time": 1.0}
    answer |= {"prediction": {"type": "soccer_action", "items": [item]}}  # type: ignore[dict-item]
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    found = json.loads(CliRunner().invoke(app, ["score", *files, "--json"]).output)
    assert found["score"] == 0.0
    assert f"items.0.{why}" in found["reason"]
