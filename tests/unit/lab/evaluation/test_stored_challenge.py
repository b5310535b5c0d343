from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from touchline_lab.evaluation.stored_challenge import read_stored, same_answer

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
        ("{", "no JSON"),
        ([1], "JSON object"),
        ({"kind": "gsr"}, "video_url"),
        ({"video_url": "https://x/y.mp4", "element": "chess"}, "tells what was asked"),
    ],
)
def test_what_is_no_stored_challenge_is_said(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, content)


def test_answers_are_compared_without_id_and_time() -> None:
    stored = {"challenge_id": "a", "prediction": {"items": [ACTION]}, "processing_time": 1.0}
    ours = {"challenge_id": "b", "processing_time": 2.0, "prediction": {"items": [ACTION]}}
    assert same_answer("soccer_action", stored, json.dumps(ours).encode())
    ours["prediction"] = {"items": []}
    assert not same_answer("soccer_action", stored, json.dumps(ours).encode())
