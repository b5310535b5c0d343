"""The spans of a trace that the timeline of a challenge makes; plain data, without OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.monitoring.outcome import Outcome
from services.monitoring.redaction import redact

WITHIN: Final = {
    "dns": "connect",
    "tcp": "connect",
    "tls": "connect",
    "inference_detector": "inference",
    "inference_pitch": "inference",
    "inference_fine_ball": "inference",
}
"""Stages that are parts of another one."""
PREFIX: Final = "touchline."
"""What the names of this project's attributes begin with."""

Attribute = str | bool | int | float


@dataclass(frozen=True, slots=True)
class StageSpan:
    """One stage of a challenge.

    Attributes:
        name: The stage.
        within: The stage that it is a part of; empty where it is none.
        start_ns: Nanoseconds since 1970, by the clock that front end and worker share.
        end_ns: The same.
        busy_s: Seconds for which it really worked.
    """

    name: str
    within: str
    start_ns: int
    end_ns: int
    busy_s: float


def nanoseconds(seconds: float) -> int:
    """Seconds as the whole nanoseconds that spans have."""
    return round(seconds * 1e9)


def whole_span(timeline: Mapping[str, Any]) -> tuple[int, int]:
    """Start and end of the worker's part of a challenge, in nanoseconds since 1970."""
    began = timeline["began"]
    return nanoseconds(began), nanoseconds(began + timeline["total"])


def stage_spans(timeline: Mapping[str, Any]) -> list[StageSpan]:
    """The stages of a timeline, those that contain others before those.

    Args:
        timeline: `Timeline.to_dict()`.
    """
    began, stages = timeline["began"], timeline["stages"]
    found = [
        StageSpan(
            name,
            WITHIN[name] if WITHIN.get(name) in stages else "",
            nanoseconds(began + span["start"]),
            nanoseconds(began + span["end"]),
            span["busy"],
        )
        for name, span in stages.items()
    ]
    return sorted(found, key=lambda span: bool(span.within))


def outcome_attributes(outcome: Outcome) -> dict[str, Attribute]:
    """The attributes of a challenge as a whole: id, kind, how it ended, and the facts of its timeline."""
    found: dict[str, Attribute] = {
        PREFIX + "challenge_id": outcome.challenge_id,
        PREFIX + "kind": outcome.kind,
        PREFIX + "result": outcome.result,
    }
    if outcome.margin_s is not None:
        found[PREFIX + "margin_s"] = round(outcome.margin_s, 3)
    if outcome.error:
        found |= {"error.type": outcome.error, PREFIX + "error_stage": outcome.stage}
    for name, value in outcome.timeline.get("facts", {}).items():
        if isinstance(value, bool | int | float):
            found[PREFIX + name] = value
        elif value is not None:
            found[PREFIX + name] = redact(str(value))
    return found
