"""The message that travels from a front end to a worker."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import msgspec

from services.errors import InvalidChallenge, UnsupportedKind

OUT_OF_SCOPE = {"tcg_grading": "grading pictures of trading cards is out of this project's scope"}
"""Kinds that exist elsewhere and that no setting brings here, with the reason."""


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One challenge, as enqueued.

    Attributes:
        challenge_id: The validator's id; at most one answer per id is given.
        video_url: Where the clip lies.
        kind: The challenge kind.
        deadline: Wall-clock time (seconds since 1970) after which no answer is wanted.
        submitted_at: Wall-clock time of the submission, for the queue time.
    """

    challenge_id: str
    video_url: str
    deadline: float
    submitted_at: float
    kind: str = "gsr"


def parse_challenge(message: Any) -> Challenge:
    """Check a message and give the challenge.

    Args:
        message: A mapping as it came out of the queue, or JSON bytes.

    Raises:
        InvalidChallenge: A field is missing, unknown or of the wrong type.
    """
    try:
        if isinstance(message, bytes | bytearray | str):
            challenge = msgspec.json.decode(message, type=Challenge)
        else:
            challenge = msgspec.convert(message, type=Challenge)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InvalidChallenge(f"not a challenge: {error}") from error
    check_challenge(challenge)
    return challenge


def check_challenge(challenge: Challenge) -> None:
    """Check what types alone do not.

    Raises:
        InvalidChallenge: With the field and what is wrong with it.
    """
    if not challenge.challenge_id or len(challenge.challenge_id) > 200:
        raise InvalidChallenge("challenge_id must have 1 to 200 characters")
    if not challenge.video_url:
        raise InvalidChallenge("video_url is empty")
    if not (math.isfinite(challenge.deadline) and math.isfinite(challenge.submitted_at)):
        raise InvalidChallenge("deadline and submitted_at must be finite numbers (seconds since 1970)")


def check_kind(kind: str, served: Collection[str]) -> None:
    """Refuse a kind that is not served; loads nothing, so that a front end can ask before it enqueues.

    Args:
        kind: What the challenge asks for.
        served: What this deployment answers, as in SERVED_KINDS.

    Raises:
        UnsupportedKind: With the list of what is served.
    """
    if kind in served:
        return
    why = OUT_OF_SCOPE.get(kind, "SERVED_KINDS does not name it")
    raise UnsupportedKind(f"kind {kind!r} is not answered here: {why}; served: {', '.join(sorted(served))}")
