from __future__ import annotations

import pytest

from touchline_lab.evaluation.field_score import CARDS, CRICKET, field_score
from touchline_lab.evaluation.official_score import NotScorable, score_prediction

DELIVERY = dict.fromkeys(CRICKET, 1.0)
CARD = {
    "Header": {"card_grade": 8},
    "Grading_Features": {name: 8 for name in CARDS if name != "card_grade"},
}


@pytest.mark.parametrize("rules", [CRICKET, CARDS])
def test_the_weights_of_all_fields_add_up_to_one(rules) -> None:
    assert sum(rule.weight for rule in rules.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({}, 0.0),
        ({"bounce_x": 1.125}, 0.23 / 2),
        ({"bounce_x": 1.25}, 0.23),  # nothing at the tolerance
        ({"bounce_x": 9.0}, 0.23),
        ({"kph": 2.5}, 0.04 / 2),
        ({"stump_y": None}, 0.18),
        ({"deviation": "2"}, 0.13),
        ({"swing_angle": float("nan")}, 0.11),
        ({"runs": 6}, 0.0),  # a field that is not scored
    ],
)
def test_a_delivery_loses_what_its_fields_are_off(change: dict[str, object], lost: float) -> None:
    assert field_score(DELIVERY | change, DELIVERY, CRICKET).total == pytest.approx(1.0 - lost)


def test_answers_are_read_in_every_form_that_validators_read() -> None:
    actions = [{"frame": 10, "action": "pass", "confidence": 0.5}]
    truth = [{"frame": 10, "action": "pass"}]
    for answer in (
        {"challenge_id": "1", "prediction": {"type": "soccer_action", "items": actions}},
        {"challenge_id": "1", "predictions": actions},
        {"type": "soccer_action", "items": actions},
        actions,
    ):
        assert score_prediction("soccer_action", answer, truth).total == 1.0
    wrapped = {"prediction": {"type": "cricket_delivery", "item": DELIVERY}}
    assert score_prediction("cricket_delivery", wrapped, DELIVERY).total == pytest.approx(1.0)


def test_a_card_that_is_one_grade_off_everywhere_keeps_half() -> None:
    off = {
        "Header": {"card_grade": 9},
        "Grading_Features": {name: 7 for name in CARDS if name != "card_grade"},
    }
    assert score_prediction("tcg_grading", {"prediction": off}, CARD).total == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "answer", "why"),
    [
        ("gsr", {}, "no official score of the kind"),
        ("soccer_action", {"prediction": {"items": [{"frame": "x"}]}}, "answer has no list of actions"),
        ("soccer_action", None, "answer is empty"),
        ("cricket_delivery", [1], "answer is no JSON object"),
    ],
)
def test_what_cannot_be_scored_is_said(kind: str, answer: object, why: str) -> None:
    with pytest.raises(NotScorable, match=why):
        score_prediction(kind, answer, [{"frame": 1, "action": "pass"}] if kind == "soccer_action" else {})
