from __future__ import annotations

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
    assert stage_summary(timeline) == {
        "total_ms": 1250,
        "queue_ms": 500.0,
        "download_ms": 500.0,
        "decode_ms": 300.0,
        "frames": 750,
    }
