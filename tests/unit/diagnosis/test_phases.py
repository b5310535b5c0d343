"""Timelines cut into phases."""

from __future__ import annotations

from typing import Any

import pytest

from services.diagnosis.phases import Phases, phases_of


def span(start: float, end: float, busy: float | None = None) -> dict[str, float]:
    return {"start": start, "end": end, "busy": end - start if busy is None else busy}


ANSWERED: dict[str, Any] = {
    "stages": {
        "redirect": span(0.0, 0.1),
        "connect": span(0.1, 0.5),
        "first_byte": span(0.5, 0.7),
        "download": span(0.7, 1.7),
        "decode": span(0.8, 2.0, 0.9),
        "inference": span(0.9, 2.7, 0.3),
        "fill": span(2.7, 2.9),
    },
    "facts": {},
    "total": 3.0,
}


def test_the_phases_of_an_answered_challenge_add_up_to_its_total() -> None:
    phases = phases_of(ANSWERED)
    assert phases.total == pytest.approx(3.0)
    assert (phases.redirects, phases.connect) == (pytest.approx(0.1), pytest.approx(0.4))
    assert (phases.first_byte, phases.transfer) == (pytest.approx(0.2), pytest.approx(1.0))
    assert phases.rest == pytest.approx(0.3)


def test_computing_after_the_last_byte_is_shared_as_the_stages_were_busy() -> None:
    phases = phases_of(ANSWERED)
    assert phases.decode == pytest.approx(0.75)
    assert phases.inference == pytest.approx(0.25)


def test_a_download_alone_has_no_computing() -> None:
    stages = {"connect": span(0, 1.0), "first_byte": span(1.0, 1.1), "download": span(1.1, 1.5)}
    phases = phases_of({"stages": stages, "total": 1.5})
    assert (phases.decode, phases.inference) == (0.0, 0.0)
    assert phases.longest == "connect"


def test_a_timeline_of_an_older_version_has_the_phases_that_it_knows() -> None:
    assert phases_of({"stages": {"download": span(0.0, 2.0)}, "total": 2.0}).longest == "transfer"
    assert phases_of({}) == Phases()
