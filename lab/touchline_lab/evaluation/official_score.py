"""The official score of an answer of the private track, from the JSON of answer and ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from services.wire.private_track import Action
from touchline_lab.evaluation.action_score import ActionScore, Shift, action_score, shifted_scores
from touchline_lab.evaluation.field_score import CARDS, CRICKET, FieldScore, field_score
from touchline_lab.evaluation.official_answer import (
    Card,
    Delivery,
    Response,
    TimedAction,
    Unreadable,
    read_response,
    why_invalid,
    why_without_actions,
)

__all__ = ["KINDS", "NotScorable", "score_prediction", "score_shifts"]

KINDS: Final = ("soccer_action", "cricket_delivery", "tcg_grading")
"""Challenge kinds whose official score is known."""
TRUTH_NAMES: Final = ("ground_truth", "groundtruth", "truth", "predictions", "prediction", "items", "item")
"""Names below which a ground truth lies, the first of which wins."""

Model = TypeVar("Model", Card, Delivery)


class NotScorable(ValueError):
    """The ground truth is not of a form that is understood; the text says why."""


def score_prediction(kind: str, answer: Any, truth: Any) -> ActionScore | FieldScore:
    """Score an answer. One that a validator cannot read scores 0, as a time-out does, and has a reason.

    Args:
        kind: One of `KINDS`.
        answer: The response, its `prediction`, or the list of actions alone; see `read_response()`.
        truth: What the subnet's interface gives, `{"ground_truth": [...]}`, its list or its fields alone, or
            a prediction.

    Raises:
        NotScorable: The kind is unknown, or the ground truth cannot be read.
    """
    if kind == "soccer_action":
        return _score_actions(answer, true_actions(truth))
    if kind == "cricket_delivery":
        true = _validated(Delivery, truth).model_dump()
        delivery, reason = _given(answer, "delivery")
        if delivery is not None and not delivery.model_fields_set:
            reason = "the answer is read as a delivery without any known field"
        fields = {} if delivery is None else delivery.model_dump()
        return replace(field_score(fields, true, CRICKET), reason=reason)
    if kind == "tcg_grading":
        grades = _validated(Card, truth).grades()
        card, reason = _given(answer, "card")
        return replace(field_score({} if card is None else card.grades(), grades, CARDS), reason=reason)
    raise NotScorable(f"no official score of the kind {kind!r} is known here")


def score_shifts(answer: Any, truth: Any) -> list[Shift]:
    """What a `soccer_action` answer would score if it came sooner or later; empty if it cannot be read.

    Raises:
        NotScorable: The ground truth cannot be read.
    """
    true = true_actions(truth)
    given, _ = _given(answer, "actions")
    try:
        return [] if given is None else shifted_scores(_actions(given), true)
    except OverflowError:
        return []


def true_actions(truth: Any) -> list[Action]:
    """The true actions: `type` wins over `action`, and entries without frame or name are skipped.

    Raises:
        NotScorable: There is no list of actions, or one of them cannot be read.
    """
    entries = _unwrapped(truth)
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise NotScorable("the ground truth has no list of actions")
    named = [(entry, entry.get("type") or entry.get("action")) for entry in entries]
    try:
        return _actions(
            [
                TimedAction.model_validate({"frame": entry["frame"], "action": name})
                for entry, name in named
                if name is not None and "frame" in entry
            ]
        )
    except ValidationError as error:
        raise NotScorable(f"a true action cannot be read: {why_invalid(error)}") from error


def _score_actions(answer: Any, truth: list[Action]) -> ActionScore:
    given, reason = _given(answer, "actions")
    try:
        return replace(action_score(_actions(given or []), truth), reason=reason)
    except OverflowError:
        # a frame number beyond every float
        return replace(action_score([], truth), reason="a frame number is too large to be a time")


def _given(answer: Any, part: str) -> tuple[Any, str]:
    """The part of the answer that is scored, or None and the reason."""
    try:
        response: Response = read_response(answer)
    except Unreadable as error:
        return None, f"counts as a time-out: {error}"
    found = getattr(response, part)
    if found is not None:
        return found, ""
    if part == "actions":
        return None, why_without_actions(answer)
    return None, f"the answer is of another kind: it has no {part}"


def _actions(read: Sequence[TimedAction]) -> list[Action]:
    return [Action(one.frame, one.action, one.confidence) for one in read]


def _validated(model: type[Model], truth: Any) -> Model:
    """A delivery or card, which may be the first of a list, and may lie below `meta`."""
    value = _unwrapped(truth)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping) and isinstance(value.get("meta"), Mapping):
        value = value["meta"]
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise NotScorable(f"the ground truth cannot be read: {why_invalid(error)}") from error


def _unwrapped(value: Any) -> Any:
    """What lies below the names of a ground truth or a prediction, however deep."""
    while isinstance(value, Mapping):
        name = next((name for name in TRUTH_NAMES if value.get(name) is not None), None)
        if name is None:
            break
        value = value[name]
    return value
