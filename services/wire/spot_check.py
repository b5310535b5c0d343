"""What two answers to the same challenge have to agree in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OWN: Final = ("challenge_id", "processing_time")
"""Fields that belong to one request, not to what was asked."""


def compared_part(answer: Any) -> Any:
    """A decoded answer without its id and its time."""
    if not isinstance(answer, Mapping):
        return answer
    return {name: value for name, value in answer.items() if name not in _OWN}
