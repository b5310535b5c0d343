"""A caller that waits for a challenge, and what Redis keeps for it."""

from __future__ import annotations

from dataclasses import dataclass

from services.wire.reply import (
    again_key,
    answer_key,
    cancelled_key,
    claim_key,
    content_key,
    joined_key,
    no_room_key,
    reply_key,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that waits for a challenge.

    Attributes:
        challenge_id: The challenge.
        token: Names the reply that it waits for.
        content: What it asks for, as `content_digest` gives it, by which another challenge of the same id is
            told; empty where that is not known.
        seconds: Until its deadline.
    """

    challenge_id: str
    token: str
    content: str = ""
    seconds: float = 0.0

    @property
    def keys(self) -> dict[str, str]:
        """Its keys in Redis by name: four of the challenge and four of its own (services/wire/reply.py)."""
        return {
            "claim": claim_key(self.challenge_id),
            "answer": answer_key(self.challenge_id),
            "joined": joined_key(self.challenge_id),
            "content": content_key(self.challenge_id),
            "reply": reply_key(self.token),
            "no_room": no_room_key(self.token),
            "cancelled": cancelled_key(self.token),
            "again": again_key(self.token),
        }
