from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from touchline_lab.evaluation.official_score import score_prediction
from touchline_lab.evaluation.stored_challenge import BrokenFile, read_stored, same_answer

ACTION = {"frame": 10, "action": "pass", "confidence": 1.0}
EXPORTED = {
    "element": "manako/DetectFootballEvent",
    "challenge_id": 7,
    "video_url": "https://x/y.mp4",
    "ground_truth": [ACTION],
    "winner": {"prediction": {"type": "soccer_action", "items": [ACTION]}},
}


def read(tmp_path: Path, content: Any) -> list[Any]:
    file = tmp_path / "stored.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return list(read_stored(file))


def test_an_audit_export_names_the_kind_by_its_element(tmp_path: Path) -> None:
    (found,) = read(tmp_path, EXPORTED)
    assert (found.kind, found.challenge_id, found.video_url) == ("soccer_action", "7", "https://x/y.mp4")
    assert found.truth == [ACTION]
    assert found.answer == EXPORTED["winner"]


def test_a_file_may_hold_several(tmp_path: Path) -> None:
    assert [one.name for one in read(tmp_path, [EXPORTED, EXPORTED])] == ["stored.json 1", "stored.json 2"]


def test_a_request_may_be_nested(tmp_path: Path) -> None:
    nested = {"kind": "gsr", "request": {"challenge_id": "c", "video_url": "https://x/y.mp4"}}
    (found,) = read(tmp_path, nested)
    assert (found.kind, found.challenge_id, found.truth, found.answer) == ("gsr", "c", None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ([1], "JSON object"),
        ({"kind": "gsr"}, "video_url"),
        ({"video_url": "https://x/y.mp4", "element": "chess"}, "tells what was asked"),
        ({"frames": 3, "kind": "gsr"}, "no list of objects"),
        ({"image_url": "x", "prediction": {"Grading_Features": 3}}, "tells what was asked"),
    ],
)
def test_a_file_without_stored_challenges_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    (found,) = read(tmp_path, content)
    assert isinstance(found, BrokenFile)
    assert reason in found.error
    assert "stored.json" in found.error


def test_a_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps([EXPORTED, 3]))
    kinds = [(type(one).__name__, one.name) for one in read_stored(tmp_path)]
    assert kinds == [("BrokenFile", "a.json"), ("StoredChallenge", "b.json 1"), ("BrokenFile", "b.json 2")]


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no JSON files"):
        list(read_stored(tmp_path))


SOCCER_EXPORT = {
    "miner_response": {
        "miner_hotkey": "5abc",
        "video_url": "https://x/y.mp4",
        "predictions": [{"frame": 10, "action": "pass"}],
    },
    "groundtruth": [{"frame": 12, "action": "pass"}],
}
CRICKET_EXPORT = {
    "miner_response": {
        "frames": [{"frame_id": 0, "url": "https://x/0.jpg"}],
        "prediction": {"bounce_x": 5.0},
    },
    "groundtruth": {"bounce_x": 5.0, "kph": 120.0},
}


def test_a_folder_of_the_audit_export_is_read_as_it_is_published(tmp_path: Path) -> None:
    for element, content in (
        ("manako_DetectFootballEvent", SOCCER_EXPORT),
        ("manako_DetectCricketDelivery", CRICKET_EXPORT),
    ):
        folder = tmp_path / "manako" / "audit" / element
        folder.mkdir(parents=True)
        (folder / "005000000.json").write_text(json.dumps(content, separators=(",", ":")))
        (folder / "index.json").write_text(json.dumps([f"manako/audit/{element}/005000000.json"]))
    (tmp_path / "manako" / "audit" / "index.json").write_text("[]")

    cricket, soccer = read_stored(tmp_path)

    assert (soccer.kind, soccer.video_url) == ("soccer_action", "https://x/y.mp4")
    assert soccer.truth == SOCCER_EXPORT["groundtruth"]
    scored = score_prediction(soccer.kind, soccer.answer, soccer.truth)
    assert scored.total == pytest.approx(1 - 2 / 25)
    assert (cricket.kind, cricket.frames) == (
        "cricket_delivery",
        ({"frame_id": 0, "url": "https://x/0.jpg"},),
    )
    assert score_prediction(cricket.kind, cricket.answer, cricket.truth).total == pytest.approx(0.23)


@pytest.mark.parametrize(
    ("content", "kind"), [(SOCCER_EXPORT, "soccer_action"), (CRICKET_EXPORT, "cricket_delivery")]
)
def test_a_file_of_the_audit_export_alone_tells_its_kind_by_the_answer(
    tmp_path: Path, content: Any, kind: str
) -> None:
    (found,) = read(tmp_path, content)
    assert found.kind == kind


def test_an_older_export_has_all_elements_in_one_file(tmp_path: Path) -> None:
    raw = SOCCER_EXPORT | {"groundtruth": {"ground_truth": SOCCER_EXPORT["groundtruth"]}}
    (found,) = read(tmp_path, {"manako/DetectFootballEvent": raw})
    assert found.kind == "soccer_action"
    assert score_prediction(found.kind, found.answer, found.truth).total == pytest.approx(1 - 2 / 25)


def test_answers_are_compared_without_id_and_time() -> None:
    stored = {"challenge_id": "a", "prediction": {"items": [ACTION]}, "processing_time": 1.0}
    ours = {"challenge_id": "b", "processing_time": 2.0, "prediction": {"items": [ACTION]}}
    assert same_answer("soccer_action", stored, json.dumps(ours).encode())
    ours["prediction"] = {"items": []}
    assert not same_answer("soccer_action", stored, json.dumps(ours).encode())
