from __future__ import annotations

from services.monitoring.outcome import Outcome
from tasks.events import stage_summary


def test_busy_stages_count_their_work_others_their_span() -> None:
    timeline = {
        "stages": {
            "queue": {"start": -0.5, "end": 0.0, "busy": 0.5},
            "download": {"start": 0.1, "end": 0.6, "busy": 0.2},
            "decode": {"start": 0.1, "end": 0.9, "busy": 0.3},
        },
        "facts": {"frames": 750, "secret": 1},
        "total": 1.25,
    }
    assert stage_summary(Outcome("c-1", "gsr", "complete", timeline)) == {
        "challenge_id": "c-1",
        "kind": "gsr",
        "result": "complete",
        "error": "",
        "stage": "",
        "total_ms": 1250,
        "queue_ms": 500.0,
        "download_ms": 500.0,
        "decode_ms": 300.0,
        "frames": 750,
    }


def test_a_failure_without_a_timeline_has_its_type_and_stage() -> None:
    summary = stage_summary(Outcome("c-1", "unknown", "error", {}, None, "InvalidChallenge", "accept"))
    assert (summary["error"], summary["stage"], summary["total_ms"]) == ("InvalidChallenge", "accept", 0)
