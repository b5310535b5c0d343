from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from services.gateway.recording import Recorder

REQUEST = {"challenge_id": "a/b c", "video_url": "https://x/y.mp4"}


def test_a_record_has_request_and_answer(tmp_path: Path) -> None:
    Recorder(tmp_path / "records", 10_000).record("gsr", REQUEST, b'{"frames":[]}')
    (file,) = (tmp_path / "records").iterdir()
    stored = json.loads(file.read_bytes())
    assert (stored["kind"], stored["challenge_id"], stored["video_url"]) == ("gsr", *REQUEST.values())
    assert stored["answer"] == {"frames": []}
    assert file.name.endswith("-a_b_c.json")


def test_the_oldest_records_are_removed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1_000)
    for number in range(10):
        recorder.record("gsr", REQUEST | {"challenge_id": str(number)}, b'"' + b"x" * 300 + b'"')
    kept = sorted(file.name[-6] for file in tmp_path.iterdir())
    assert kept == ["8", "9"]


def test_an_id_of_any_script_gets_a_file(tmp_path: Path) -> None:
    Recorder(tmp_path, 10_000).record("gsr", REQUEST | {"challenge_id": "\u5834" * 150}, b"{}")
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_bytes())["challenge_id"] == "\u5834" * 150


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "0-my-notes.json").write_text("x" * 5_000)
    Recorder(tmp_path, 1_000).record("gsr", REQUEST, b"{}")
    assert (tmp_path / "0-my-notes.json").exists()


def test_records_are_written_behind_the_answer_one_after_the_other(tmp_path: Path) -> None:
    async def run() -> int:
        recorder = Recorder(tmp_path, 10_000)
        for number in range(5):
            recorder.begin("gsr", REQUEST | {"challenge_id": str(number)}, b"{}")
        before = len(list(tmp_path.iterdir()))
        await recorder.finish()
        return before

    assert asyncio.run(run()) == 0, "nobody waited for them"
    assert [file.name[-6] for file in sorted(tmp_path.iterdir())] == ["0", "1", "2", "3", "4"]


def test_a_folder_that_cannot_be_written_to_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    Recorder(tmp_path / "taken", 1_000).record("gsr", REQUEST, b"{}")
    assert "could not be recorded" in caplog.text
