"""From the name of a challenge kind to the kind."""

from __future__ import annotations

from typing import Any

from services.challenges.gsr_kind import GsrKind
from services.challenges.kind import Kind
from services.errors import InvalidChallenge

_KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in (GsrKind(),)}


def get_kind(name: str) -> Kind[Any]:
    """The kind of that name.

    Raises:
        InvalidChallenge: There is none.
    """
    if name not in _KINDS:
        raise InvalidChallenge(f"kind {name!r} is not answered here; kinds: {', '.join(_KINDS)}")
    return _KINDS[name]
