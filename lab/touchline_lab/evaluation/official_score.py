"""The official score of an answer of the private track, from the JSON of answer and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from services.wire.private_track import Action
from touchline_lab.evaluation.action_score import ActionScore, action_score
from touchline_lab.evaluation.field_score import CARDS, CRICKET, FieldScore, card_fields, field_score

__all__ = ["NotScorable", "score_prediction"]


class NotScorable(ValueError):
    """Answer or ground truth is not of a form that is understood; the text says which, and why."""


def score_prediction(kind: str, answer: Any, truth: Any) -> ActionScore | FieldScore:
    """Score an answer.

    Args:
        kind: `soccer_action`, `cricket_delivery` or `tcg_grading`.
        answer: The response, its `prediction`, or the list of actions alone.
        truth: In the same form, or as the subnet's interface gives it: `{"ground_truth": [...]}`.

    Raises:
        NotScorable: The kind is unknown, or something cannot be read.
    """
    given, true = _prediction(answer, "answer"), _prediction(truth, "ground truth")
    if kind == "soccer_action":
        return action_score(_actions(given, "answer"), _actions(true, "ground truth"))
    if kind == "cricket_delivery":
        return field_score(_item(given, "answer"), _item(true, "ground truth"), CRICKET)
    if kind == "tcg_grading":
        return field_score(
            card_fields(_object(given, "answer")), card_fields(_object(true, "ground truth")), CARDS
        )
    raise NotScorable(f"no official score of the kind {kind!r} is known here")


def _prediction(value: Any, what: str) -> Any:
    """What is scored: the response's `prediction`, `predictions` of the older form, or a `ground_truth`."""
    if isinstance(value, Mapping):
        for name in ("prediction", "predictions", "ground_truth"):
            if value.get(name) is not None:
                return value[name]
    if value is None:
        raise NotScorable(f"the {what} is empty")
    return value


def _object(value: Any, what: str) -> Mapping[str, Any]:
    """The fields of a delivery or card, which a ground truth has as the first of a list, under `meta`."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping) and isinstance(value.get("meta"), Mapping):
        value = value["meta"]
    if not isinstance(value, Mapping):
        raise NotScorable(f"the {what} is no JSON object")
    return value


def _item(value: Any, what: str) -> Mapping[str, Any]:
    return _object(_object(value, what).get("item", value), what)


def _actions(value: Any, what: str) -> list[Action]:
    items = value.get("items") if isinstance(value, Mapping) else value
    try:
        return msgspec.convert(items, list[Action])
    except msgspec.ValidationError as error:
        raise NotScorable(f"the {what} has no list of actions: {error}") from error
