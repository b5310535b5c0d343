"""The official scores of `cricket_delivery` and `tcg_grading`: a weighted sum over fields.

Source: score-technologies/turbovision, facts as listed in docs/reference/wire.md. A field earns
`weight * max(0, 1 - |error| / tolerance)`; a missing one earns nothing. The sum is limited to 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["CRICKET", "CARDS", "FieldRule", "FieldScore", "field_score"]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What a field is worth, and from which error on it earns nothing, in the field's unit."""

    weight: float
    tolerance: float


CRICKET: Final[dict[str, FieldRule]] = {
    "bounce_x": FieldRule(0.23, 0.25),
    "stump_y": FieldRule(0.18, 0.12),
    "deviation": FieldRule(0.13, 2.0),
    "swing_angle": FieldRule(0.11, 2.0),
    "stump_z": FieldRule(0.11, 0.12),
    "kph": FieldRule(0.04, 3.0),
    "release_y": FieldRule(0.03, 0.15),
    "release_z": FieldRule(0.03, 0.15),
    "bounce_y": FieldRule(0.03, 0.15),
    "impact_x": FieldRule(0.03, 0.25),
    "impact_y": FieldRule(0.03, 0.15),
    "impact_z": FieldRule(0.03, 0.15),
    "interception_distance": FieldRule(0.02, 0.25),
}
"""Fields of a delivery: metres, degrees, km/h."""
CARDS: Final[dict[str, FieldRule]] = {
    "subgrade_surface": FieldRule(0.25, 2.0),
    "subgrade_edges": FieldRule(0.25, 2.0),
    "subgrade_corners": FieldRule(0.25, 2.0),
    "subgrade_centering": FieldRule(0.10, 2.0),
    "card_grade": FieldRule(0.15, 2.0),
}
"""Grades of a card, 1 to 10."""


@dataclass(frozen=True, slots=True)
class FieldScore:
    """The score of an answer.

    Attributes:
        total: The official number, 0 to 1.
        losses: What each field lost of it.
        reason: Why the answer counts as a time-out, or empty.
    """

    total: float
    losses: dict[str, float]
    reason: str = ""


def field_score(
    given: Mapping[str, Any], truth: Mapping[str, Any], rules: Mapping[str, FieldRule]
) -> FieldScore:
    """Score an answer; a field that is missing on either side, or no number, earns nothing."""
    losses = {}
    total = 0.0
    for name, rule in rules.items():
        answer, true = _number(given.get(name)), _number(truth.get(name))
        share = 0.0
        if answer is not None and true is not None:
            share = max(0.0, 1.0 - abs(answer - true) / rule.tolerance)
        total += rule.weight * share
        losses[name] = rule.weight * (1.0 - share)
    return FieldScore(min(1.0, max(0.0, total)), losses)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
