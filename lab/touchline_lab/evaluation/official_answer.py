"""Reads answers of the private track as validators read them: what they coerce, prefer, ignore and refuse.

Source: score-technologies/turbovision, facts as listed in docs/reference/wire.md. A response that does not
fit the schema of all kinds at once counts as a time-out, whatever kind was asked for. The models here are
for reading answers of others; what this project sends is defined in services/wire/private_track.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

__all__ = [
    "Card",
    "Delivery",
    "Response",
    "TimedAction",
    "Unreadable",
    "read_response",
    "why_invalid",
    "why_without_actions",
]

SHOWN_ERRORS = 3
"""Faults of one answer that are told."""


class Unreadable(ValueError):
    """A validator could not read this answer; the text says why."""


class TimedAction(BaseModel):
    """One action; `"5"`, `5.0` and `true` are read as whole numbers, further keys are ignored."""

    frame: int = Field(ge=0)
    action: str
    confidence: float = Field(default=1.0, ge=0, le=1)


def _also(*names: str) -> Any:
    """An optional field that is read under several names, the first of which wins."""
    return Field(default=None, validation_alias=AliasChoices(*names))


class Delivery(BaseModel):
    """One cricket delivery; fields that are not scored have to be readable, too."""

    model_config = ConfigDict(populate_by_name=True)

    match: str | None = None
    matchid: int | None = None
    inningsid: int | None = _also("inningsid", "innings_id")
    overid: int | None = _also("overid", "over_id")
    ball_in_over: int | None = _also("ball_in_over", "ball")
    ballid: int | None = None
    xlsx_overs: str | float | None = None
    scorecard_overs: str | float | None = _also("scorecard_overs", "overs")
    kph: float | None = None
    release_y: float | None = _also("release_y", "rel_y")
    release_z: float | None = _also("release_z", "rel_z")
    bounce_x: float | None = None
    bounce_y: float | None = None
    impact_x: float | None = None
    impact_y: float | None = None
    impact_z: float | None = None
    interception_distance: float | None = _also("interception_distance", "inter_d")
    stump_y: float | None = None
    stump_z: float | None = None
    swing_angle: float | None = _also("swing_angle", "swing_deg")
    deviation: float | None = _also("deviation", "deviation_deg")
    runs: int | None = None
    wickets: int | None = _also("wickets", "wkts")


def _floored(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("true and false are no grades")
    try:
        return math.floor(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("a grade has to be a finite number") from error


Grade = Annotated[int, BeforeValidator(_floored), Field(ge=1, le=10)]
"""A grade, rounded down before it is checked."""


class CardHeader(BaseModel):
    """The grade of the whole card."""

    card_grade: Grade


class CardGrades(BaseModel):
    """The grades of its parts."""

    subgrade_surface: Grade
    subgrade_edges: Grade
    subgrade_corners: Grade
    subgrade_centering: Grade


class Card(BaseModel):
    """The grades of a card: all of them, or it cannot be read."""

    Header: CardHeader
    Grading_Features: CardGrades

    def grades(self) -> dict[str, Any]:
        """All grades by name, whole numbers from 1 to 10."""
        return {**self.Header.model_dump(), **self.Grading_Features.model_dump()}


class TypedPrediction(BaseModel):
    """A prediction that names its kind: actions in `items`, or a delivery in `item`, never both."""

    type: str
    items: list[TimedAction] | None = None
    item: Delivery | None = None

    @model_validator(mode="after")
    def _only_its_own(self) -> Self:
        own, other = {
            "soccer_action": (self.items, self.item),
            "cricket_delivery": (self.item, self.items),
        }.get(self.type, (None, None))
        if own is None or other is not None:
            raise ValueError(f"type {self.type!r} does not go with the keys that are there")
        return self


class Response(BaseModel):
    """A whole answer. A prediction without a readable type can still be read as a delivery."""

    challenge_id: str
    processing_time: float
    predictions: list[TimedAction] | None = None
    prediction: TypedPrediction | Delivery | Card | None = None

    @model_validator(mode="before")
    @classmethod
    def _cards_first(cls, data: Any) -> Any:
        # what has both parts of a card is a card, or the answer is refused
        prediction = data.get("prediction") if isinstance(data, dict) else None
        if isinstance(prediction, dict) and {"Header", "Grading_Features"} <= prediction.keys():
            return {**data, "prediction": Card.model_validate(prediction)}
        return data

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.predictions is None and self.prediction is None:
            raise ValueError("neither `prediction` nor `predictions`")
        return self

    @property
    def actions(self) -> list[TimedAction] | None:
        """The actions; `predictions` wins over `prediction`. None for an answer of another kind."""
        if self.predictions is not None:
            return self.predictions
        return self.prediction.items if isinstance(self.prediction, TypedPrediction) else None

    @property
    def delivery(self) -> Delivery | None:
        """The delivery, None for an answer of another kind."""
        if isinstance(self.prediction, TypedPrediction):
            return self.prediction.item
        return self.prediction if isinstance(self.prediction, Delivery) else None

    @property
    def card(self) -> Card | None:
        """The card, None for an answer of another kind."""
        return self.prediction if isinstance(self.prediction, Card) else None


def read_response(answer: Any) -> Response:
    """Read an answer that was decoded from JSON.

    An object with `challenge_id` or `processing_time` is a whole response, and needs both. What has neither
    is taken for what a response would hold: `prediction` or `predictions` as the subnet's audit export has
    them (also below `miner_response`), the prediction alone, or a list of actions alone.

    Args:
        answer: Any JSON value.

    Raises:
        Unreadable: A validator would count it as a time-out.
    """
    try:
        return Response.model_validate(_completed(answer))
    except ValidationError as error:
        raise Unreadable(why_invalid(error)) from error


def why_without_actions(answer: Any) -> str:
    """Why a readable answer has no actions: it is of another kind, or its prediction names itself wrongly.

    Args:
        answer: Any JSON value that `read_response` accepts.
    """
    completed = _completed(answer)
    prediction = completed.get("prediction") if isinstance(completed, Mapping) else None
    if not isinstance(prediction, Mapping) or not {"type", "items"} & prediction.keys():
        return "the answer is of another kind: it has no actions"
    try:
        TypedPrediction.model_validate(prediction)
    except ValidationError as error:
        return f"its actions cannot be read: {why_invalid(error)}"
    return "the answer is of another kind: it has no actions"


def _completed(answer: Any) -> Any:
    own = {"challenge_id": "", "processing_time": 0.0}
    if isinstance(answer, list):
        return {**own, "predictions": answer}
    if not isinstance(answer, Mapping) or own.keys() & answer.keys():
        return answer
    if {"prediction", "predictions"} & answer.keys():
        return {**own, **answer}
    if "miner_response" in answer:
        return _completed(answer["miner_response"])
    return {**own, "prediction": answer}


def why_invalid(error: ValidationError) -> str:
    """The first faults, each with the place where it is."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = f" and {len(faults) - SHOWN_ERRORS} more" if len(faults) > SHOWN_ERRORS else ""
    return "; ".join(faults[:SHOWN_ERRORS]) + more
