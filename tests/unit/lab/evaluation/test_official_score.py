from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from touchline_lab.evaluation.field_score import CARDS, CRICKET, field_score
from touchline_lab.evaluation.official_score import NotScorable, score_prediction, score_shifts

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


PASS = {"frame": 5, "action": "pass"}
OWN = {"challenge_id": "1", "processing_time": 1.0}
"""What a whole response has beside its prediction."""


def soccer(items: object, **more: object) -> dict[str, object]:
    return {**OWN, "prediction": {"type": "soccer_action", "items": items, **more}}


@pytest.mark.parametrize(
    "answer",
    [
        soccer([PASS]),
        {**OWN, "predictions": [PASS]},
        {"type": "soccer_action", "items": [PASS]},
        [PASS],
        # as the subnet's audit export has it: without id and time
        {"miner_hotkey": "5abc", "video_url": "https://x/y.mp4", "predictions": [PASS]},
        {"miner_response": {"predictions": [PASS]}, "groundtruth": []},
        # the older name wins, unless it is null
        {**soccer([]), "predictions": [PASS]},
        {**soccer([PASS]), "predictions": None},
        {**OWN, "prediction": {"kph": 3.0}, "predictions": [PASS]},
        soccer([PASS], item=None),
        {**soccer([PASS]), "processing_time": "1.5"},
        *(soccer([PASS | {"frame": frame}]) for frame in (5.0, "5", " 5 ", "5.0")),
        *(soccer([PASS | {"confidence": confidence}]) for confidence in ("0.5", True, 0, 1)),
        soccer([PASS | {"team": "HOME"}]),
    ],
)
def test_actions_are_read_in_every_form_that_validators_read(answer: object) -> None:
    found = score_prediction("soccer_action", answer, [PASS])
    assert (found.total, found.reason) == (1.0, "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "valid dictionary"),
        ("text", "valid dictionary"),
        ({}, "no actions"),
        ({**OWN}, "neither"),
        ({**OWN, "prediction": [PASS]}, "prediction"),
        ({**OWN, "prediction": {}}, "no actions"),
        ({**OWN, "prediction": {"items": [PASS]}}, "type: Field required"),
        ({**OWN, "prediction": {"type": "Soccer_Action", "items": [PASS]}}, "Soccer_Action"),
        ({**OWN, "prediction": "x", "predictions": [PASS]}, "prediction"),
        ({**soccer([PASS]), "predictions": "x"}, "predictions"),
        (soccer(None), "does not go with"),
        (soccer([PASS], item={}), "does not go with"),
        ({"challenge_id": "1", "predictions": [PASS]}, "processing_time"),
        ({"processing_time": 1.0, "predictions": [PASS]}, "challenge_id"),
        ({**soccer([PASS]), "challenge_id": 7}, "challenge_id"),
        ({**OWN, "predictions": [PASS, PASS | {"frame": -1}]}, "predictions.1.frame"),
        *(([PASS | {"frame": frame}], "frame") for frame in (5.5, None, "x", float("nan"), [5])),
        *(([PASS | {"confidence": one}], "confidence") for one in (None, -0.1, 1.5, float("nan"), "x")),
        ([PASS | {"action": 3}], "action"),
        ([{"frame": 5, "type": "pass"}], "action"),
    ],
)
def test_an_answer_that_validators_cannot_read_scores_nothing_and_says_why(answer: object, why: str) -> None:
    found = score_prediction("soccer_action", answer, [PASS])
    assert found.total == 0.0
    assert why in found.reason


def test_an_empty_list_that_wins_over_a_good_one_scores_nothing() -> None:
    found = score_prediction("soccer_action", {**soccer([PASS]), "predictions": []}, [PASS])
    assert (found.total, found.reason) == (0.0, "")


def test_true_is_read_as_frame_one() -> None:
    assert score_prediction("soccer_action", [PASS | {"frame": True}], [PASS]).total == pytest.approx(0.84)


def test_a_frame_number_beyond_every_float_is_no_crash() -> None:
    far = [PASS, {"frame": 10**400, "action": "tackle"}]  # also where there is none to match
    assert score_shifts(far, [PASS]) == []
    found = score_prediction("soccer_action", far, [PASS])
    assert (found.total, found.reason) == (0.0, "a frame number is too large to be a time")


@pytest.mark.parametrize(
    "truth",
    [
        [PASS],
        {"ground_truth": [{"frame": "5", "type": "pass", "confidence": None}]},
        {"groundtruth": {"ground_truth": [PASS]}, "miner_response": {"predictions": []}},
        [PASS | {"type": "pass", "action": "shot"}],  # the type wins
        [PASS, {"type": "goal"}, {"frame": 9, "action": None}],  # no moment, no name: skipped
        soccer([PASS]),
    ],
)
def test_the_true_actions_in_every_form(truth: object) -> None:
    assert score_prediction("soccer_action", [PASS], truth).total == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {name: str(value) for name, value in DELIVERY.items()},
        dict.fromkeys(DELIVERY, True),
        {"match": "a", "matchid": "3", "xlsx_overs": 3.2, "unknown": []},
    ],
)
def test_numbers_of_a_delivery_may_be_text(change: dict[str, object]) -> None:
    for prediction in (DELIVERY | change, {"type": "cricket_delivery", "item": DELIVERY | change}):
        found = score_prediction("cricket_delivery", {**OWN, "prediction": prediction}, DELIVERY)
        assert found.total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("release_y", "rel_y"),
        ("release_z", "rel_z"),
        ("interception_distance", "inter_d"),
        ("swing_angle", "swing_deg"),
        ("deviation", "deviation_deg"),
    ],
)
def test_a_field_of_a_delivery_may_have_its_other_name(name: str, other: str) -> None:
    renamed = {other if one == name else one: value for one, value in DELIVERY.items()}
    assert score_prediction("cricket_delivery", renamed, DELIVERY).total == pytest.approx(1.0)
    assert score_prediction("cricket_delivery", DELIVERY, renamed).total == pytest.approx(1.0)
    # both: the proper name wins
    both = score_prediction("cricket_delivery", DELIVERY | {other: 99.0}, DELIVERY)
    assert both.total == pytest.approx(1.0)


@pytest.mark.parametrize(
    "prediction",
    [
        DELIVERY | {"kph": "x"},
        DELIVERY | {"kph": []},
        DELIVERY | {"matchid": 1.5},  # not scored, but read
        DELIVERY | {"match": 3},
        {"item": DELIVERY},
        {"type": "soccer_action", "item": DELIVERY},
        {"type": "cricket_delivery", "item": DELIVERY, "items": []},
        {"type": "cricket_delivery", "item": None},
        {"type": "cricket_delivery", "item": [DELIVERY]},
        [DELIVERY],
        {},
        CARD,
    ],
)
def test_a_delivery_that_validators_cannot_read_scores_nothing(prediction: object) -> None:
    found = score_prediction("cricket_delivery", {**OWN, "prediction": prediction}, DELIVERY)
    assert found.total == 0.0
    assert found.reason


def test_a_delivery_without_its_type_is_read_whatever_the_type_says() -> None:
    flat = {**OWN, "prediction": {"type": "x", **DELIVERY}}
    assert score_prediction("cricket_delivery", flat, DELIVERY).total == pytest.approx(1.0)


def wrapped(truth: object) -> list[object]:
    """A ground truth in all its forms."""
    return [truth, [truth], {"ground_truth": truth}, {"ground_truth": [{"meta": truth, "frame": 0}]}]


@pytest.mark.parametrize("truth", wrapped(DELIVERY))
def test_the_true_delivery_in_every_form(truth: object) -> None:
    assert score_prediction("cricket_delivery", DELIVERY, truth).total == pytest.approx(1.0)


@pytest.mark.parametrize("truth", wrapped(CARD))
def test_the_true_card_in_every_form(truth: object) -> None:
    assert score_prediction("tcg_grading", CARD, truth).total == pytest.approx(1.0)


def card(**grades: object) -> dict[str, dict[str, object]]:
    """The card with other grades; those that are `...` are left out."""
    own: dict[str, object] = {**CARD["Header"], **CARD["Grading_Features"], **grades}
    own = {name: grade for name, grade in own.items() if grade is not ...}
    header = {name: own.pop(name) for name in ("card_grade",) if name in own}
    return {"Header": header, "Grading_Features": own}


def test_a_card_that_is_one_grade_off_everywhere_keeps_half() -> None:
    off = card(card_grade=9, **dict.fromkeys(CARD["Grading_Features"], 7))
    assert score_prediction("tcg_grading", {"prediction": off}, CARD).total == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("grade", "total"), [(8, 1.0), ("8", 1.0), (8.9, 1.0), ("8.9", 1.0), (7.9, 0.925), (10.9, 0.85)]
)
def test_grades_are_rounded_down_before_they_are_scored(grade: object, total: float) -> None:
    assert score_prediction("tcg_grading", card(card_grade=grade), CARD).total == pytest.approx(total)
    true = card(card_grade=8.5)
    assert score_prediction("tcg_grading", card(card_grade=grade), true).total == pytest.approx(total)


@pytest.mark.parametrize(
    "grade", [..., None, True, "x", float("nan"), float("inf"), 0, 0.99, 11, -3, [8]], ids=repr
)
@pytest.mark.parametrize("name", ["card_grade", "subgrade_edges"])
def test_one_grade_that_cannot_be_read_costs_all(name: str, grade: object) -> None:
    found = score_prediction("tcg_grading", {**OWN, "prediction": card(**{name: grade})}, CARD)
    assert found.total == 0.0
    assert name in found.reason


@pytest.mark.parametrize(
    "prediction",
    [
        {"Grading_Features": CARD["Grading_Features"]},
        CARD | {"Header": None},
        CARD | {"Header": []},
        {**CARD["Header"], **CARD["Grading_Features"]},
        {"type": "tcg_grading", "item": CARD},
        [CARD],
        DELIVERY,
    ],
)
def test_a_card_in_another_form_scores_nothing(prediction: object) -> None:
    found = score_prediction("tcg_grading", {**OWN, "prediction": prediction}, CARD)
    assert found.total == 0.0
    assert found.reason


@pytest.mark.parametrize(
    ("kind", "truth", "why"),
    [
        ("gsr", {}, "no official score of the kind"),
        (
            "soccer_action",
            {"prediction": {"items": [{"frame": "x", "action": "pass"}]}},
            "cannot be read: frame",
        ),
        ("soccer_action", None, "no list of actions"),
        ("soccer_action", [3], "no list of actions"),
        ("cricket_delivery", {"kph": "x"}, "kph"),
        ("cricket_delivery", [], "ground truth"),
        ("tcg_grading", {"Header": None}, "Header"),
    ],
)
def test_a_ground_truth_that_cannot_be_read_is_said(kind: str, truth: object, why: str) -> None:
    with pytest.raises(NotScorable, match=why):
        score_prediction(kind, {}, truth)


def test_a_late_answer_would_score_more_if_it_came_sooner() -> None:
    truth = [{"frame": frame, "action": "pass"} for frame in (100, 300, 500)]
    late = [{"frame": frame + 5, "action": "pass"} for frame in (100, 300, 500)]
    shifts = {shift.seconds: shift for shift in score_shifts(late, truth)}
    assert [shift.frames for shift in shifts.values()] == [-13, -10, -8, -5, -3, 0, 3, 5, 8, 10, 13]
    assert shifts[0.0].score == score_prediction("soccer_action", late, truth).total
    assert shifts[-0.2].score == pytest.approx(1.0)
    assert shifts[0.5].score == pytest.approx(1 - 18 / 25)
    assert score_shifts("unreadable", truth) == []


ODD = (None, True, -1, 5.5, "5", "x", [], {}, [5], {"kph": 1.0}, float("nan"), float("inf"), 10**400)
"""Values that an answer may have anywhere."""
GOOD: dict[str, tuple[object, object]] = {
    "soccer_action": (soccer([PASS, {"frame": 90, "action": "goal"}]), [PASS]),
    "cricket_delivery": ({**OWN, "prediction": {"type": "cricket_delivery", "item": DELIVERY}}, DELIVERY),
    "tcg_grading": ({**OWN, "prediction": CARD}, CARD),
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each part of a JSON value: what holds it, and its key there."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@pytest.mark.parametrize("kind", GOOD)
def test_no_answer_is_an_error_and_none_with_a_reason_scores(kind: str) -> None:
    chance = random.Random(5)
    whole, truth = GOOD[kind]
    reasons = 0
    for _ in range(400):
        answer = copy.deepcopy(whole)
        for _ in range(chance.randrange(1, 4)):
            if found := places(answer):
                holder, key = chance.choice(found)
                holder[key] = copy.deepcopy(chance.choice(ODD))
        score = score_prediction(kind, answer, truth)
        assert 0.0 <= score.total <= 1.0
        assert score.total == 0.0 or not score.reason
        reasons += bool(score.reason)
    assert 100 < reasons < 400, "some of these answers are still read"


@pytest.mark.parametrize("kind", GOOD)
def test_an_answer_with_a_part_left_out_scores_no_more(kind: str) -> None:
    whole, truth = GOOD[kind]
    best = score_prediction(kind, whole, truth).total
    for number in range(len(places(whole))):
        answer = copy.deepcopy(whole)
        holder, key = places(answer)[number]
        if isinstance(holder, dict):
            del holder[key]
            found = score_prediction(kind, answer, truth)
            assert found.total <= best
            # a confidence and single fields of a delivery may be left out, all else may not
            assert found.reason or found.total > 0
