"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result.

    Attributes:
        check: What was checked.
        state: `unknown` when it could not be checked.
        text: What was found, or why it could not be checked.
        advice: What to do; empty when there is nothing to do.
    """

    check: str
    state: State
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", text)


def failed(check: str, text: str, advice: str) -> Finding:
    """A validator would fail here."""
    return Finding(check, "failed", text, advice)


def unknown(check: str, text: str, advice: str) -> Finding:
    """It could not be checked."""
    return Finding(check, "unknown", text, advice)
