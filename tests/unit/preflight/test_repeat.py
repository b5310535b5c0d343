"""What is said of two answers to one clip."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.errors import SourceRejected
from services.preflight import repeat
from services.preflight.repeat import check_answers
from services.settings import load_settings
from services.wire.reply import Answer

ITEMS = [{"frame": 3, "action": "pass", "confidence": 1.0}]


def checked(monkeypatch: pytest.MonkeyPatch, *answers: Answer | Exception) -> dict[str, str]:
    left = list(answers)

    class Submission:
        def wait(self) -> Answer:
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

    def submit(url: str, **_: Any) -> Submission:
        return Submission()

    monkeypatch.setattr(repeat, "submit", submit)
    found = check_answers(load_settings(), "https://x/y.mp4", "soccer_action")
    return {finding.check: finding.state for finding in found}


def answer(items: Any, number: int = 0, plan: str = "every 6th", partial: bool = False) -> Answer:
    body = {"challenge_id": str(number), "processing_time": number, "prediction": {"items": items}}
    return Answer(str(number), json.dumps(body).encode(), partial, {"facts": {"plan": plan}})


def test_two_answers_that_differ_in_id_and_time_only_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(monkeypatch, answer(ITEMS, 1), answer(ITEMS, 2))
    assert found == {"answered in time": "ok", "answered twice the same": "ok"}


def test_two_answers_that_differ_fail_a_spot_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, answer(ITEMS), answer([]))["answered twice the same"] == "failed"


@pytest.mark.parametrize(
    "hurried", [answer(ITEMS, partial=True), answer(ITEMS, plan="every 12th (deadline)")]
)
def test_an_answer_that_was_hurried_differs_from_that_of_a_faster_machine(
    monkeypatch: pytest.MonkeyPatch, hurried: Answer
) -> None:
    assert checked(monkeypatch, hurried) == {
        "answered in time": "failed",
        "answered twice the same": "unknown",
    }


def test_an_error_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, SourceRejected("404")) == {
        "answered in time": "failed",
        "answered twice the same": "unknown",
    }
