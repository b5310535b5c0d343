"""How one challenge ended: what the log line, the metrics and the trace are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["complete", "partial", "error", "joined", "answered", "given_up"]
"""`joined`: another process works on it; `answered`: it was answered before; `given_up`: another one
took it over; see the glossary."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one challenge ended.

    Attributes:
        challenge_id: The challenge, as far as its message told.
        kind: Its kind, or `unknown`.
        result: How it ended.
        timeline: `Timeline.to_dict()`.
        margin_s: Seconds that were left until the deadline; negative after it, None where it is not known.
        error: Type of the error, or empty.
        stage: The stage in which the error happened, or empty.
        message: Its text, or empty.
    """

    challenge_id: str
    kind: str
    result: Result
    timeline: Mapping[str, Any] = field(default_factory=dict)
    margin_s: float | None = None
    error: str = ""
    stage: str = ""
    message: str = ""
