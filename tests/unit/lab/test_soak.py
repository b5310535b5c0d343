"""The ledger of the soak: what it holds against a system."""

from __future__ import annotations

import json

from touchline_lab.reliability.soak import Ledger
from touchline_lab.reliability.traffic import Request

GOOD = Request("good", "c-1", "https://host/clip.mp4", 20.0, True)


def test_one_answer_in_time_is_no_problem() -> None:
    ledger = Ledger()
    ledger.note(GOOD, "answer", 1.0, allowed=True)
    ledger.listen("worker", json.dumps({"challenge_id": "c-1", "result": "complete"}))
    assert ledger.problems(1) == []


def test_late_wrong_missing_and_double_outcomes_are_problems() -> None:
    ledger = Ledger()
    ledger.note(GOOD, "SourceRejected", 21.0, allowed=False)
    ledger.note(GOOD, "answer", 1.0, allowed=True)
    for _ in range(2):
        ledger.listen("worker", json.dumps({"challenge_id": "c-1", "result": "complete"}))
    assert ledger.problems(2) == [
        "late: good: SourceRejected after 21.0 s",
        "wrong: good: SourceRejected",
        "1 challenges have no outcome",
        "c-1 has 2 outcomes",
        "c-1 was answered 2 times",
    ]
