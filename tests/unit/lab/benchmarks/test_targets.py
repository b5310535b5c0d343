from __future__ import annotations

from typing import Any

import pytest

from touchline_lab.benchmarks.job import Row
from touchline_lab.benchmarks.results import Condition
from touchline_lab.benchmarks.targets import Target, answers_agree, check

FLOORS = {
    "network_s": 0.5,
    "decode_s": 0.4,
    "combined_s": 1.0,
    "round_trip_s": 0.04,
    "first_frame_s": 0.05,
    "decode_cpu_s": 0.8,
    "cv2_decode_cpu_s": 1.8,
}


def condition(rows: dict[str, Row], link: str = "seed", floors: Row | None = None) -> Condition:
    found = {name: [row] for name, row in rows.items()}
    return Condition(link, "cubic", found, FLOORS if floors is None else floors, {})


def by_text(condition: Condition, start: str) -> Target:
    return next(target for target in check(condition) if target.text.startswith(start))


REFERENCE_MINER = {"first_frame_s": 3.0, "answer_s": 9.0}


@pytest.mark.parametrize(("first", "met"), [(0.06, True), (0.15, False)])
def test_the_first_frame_is_compared_with_the_reference_miner_and_with_its_floor(
    first: float, met: bool
) -> None:
    found = condition(
        {"reference-miner": REFERENCE_MINER, "touchline-warm": {"first_frame_s": first, "answer_s": 1.1}}
    )
    assert by_text(found, "first frame: time of the reference miner").met is met
    assert by_text(found, "first frame: time / floor").met is met


def test_the_answer_counts_at_the_caller_where_that_is_measured() -> None:
    rows: dict[str, Row] = {
        "reference-miner": REFERENCE_MINER,
        "touchline-warm": {"first_frame_s": 0.06, "answer_s": 1.1},
        "touchline-celery": {"first_frame_s": 0.06, "answer_s": 1.3},
    }
    found = by_text(condition(rows), "answer at the caller (touchline-celery)")
    assert (found.value, found.met) == (pytest.approx(1.3), False)


@pytest.mark.parametrize(("link", "limit"), [("seed", 8), ("r200", 4)])
def test_the_target_against_the_reference_miner_depends_on_the_link(link: str, limit: float) -> None:
    found = condition(
        {"reference-miner": REFERENCE_MINER, "touchline-warm": {"first_frame_s": 0.06, "answer_s": 1.5}}, link
    )
    target = by_text(found, "answer at the caller: time of the reference miner")
    assert (target.limit, target.met) == (limit, limit == 4)


@pytest.mark.parametrize(("idle", "met"), [(0.09, True), (0.11, False)])
def test_an_hour_without_challenges_may_cost_less_than_one_round_trip(idle: float, met: bool) -> None:
    rows: dict[str, Row] = {
        "touchline-warm": {"first_frame_s": 0.06},
        "touchline-idle": {"first_frame_s": idle},
    }
    assert by_text(condition(rows), "after an hour without challenges").met is met


def test_there_is_no_target_without_its_measurements() -> None:
    assert check(condition({"touchline-warm": {"answer_s": 1.0}}, floors={})) == []


@pytest.mark.parametrize(("other", "agree"), [(7.0, True), (8.0, False)])
def test_answers_agree_if_all_methods_with_models_gave_the_same(other: float, agree: bool) -> None:
    rows: dict[str, Any] = {
        "touchline-cold": {"answer_digest": 7.0},
        "touchline-warm": {"answer_digest": other},
        "touchline-no-models": {"answer_digest": 1.0},
    }
    assert answers_agree(condition(rows)) is agree
