"""A caller that waits for a challenge, what Redis keeps for it, and scripts that work on that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.settings import get_settings
from services.wire.reply import (
    REPLIED_CHANNEL,
    again_key,
    answer_key,
    cancelled_key,
    claim_key,
    content_key,
    joined_key,
    no_room_key,
    reply_key,
)
from tasks.identity import process_name
from tasks.worker_redis import Script


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


_FUNCTIONS = """
local key, prefix = given.key, given.prefix
local function send(token, reply)
  redis.call('RPUSH', prefix.reply .. token, reply)
  redis.call('EXPIRE', prefix.reply .. token, given.reply_s)
  redis.call('DEL', prefix.no_room .. token, prefix.again .. token)
  redis.call('PUBLISH', given.channel, token)
end
local function join()
  redis.call('SADD', key.joined, given.token)
  redis.call('EXPIRE', key.joined, given.reply_s)
end
"""


class CallerScript:
    """A script that works on what Redis keeps for a caller.

    It finds the caller's keys in `key`, and has `send(token, reply)`, which hands a reply to any caller, and
    `join()`, by which this caller gets the reply to another one's challenge of the same id.

    Args:
        text: The script.
    """

    def __init__(self, text: str) -> None:
        self._script = Script(_FUNCTIONS + text)

    def run(self, caller: Caller, data: bytes = b"", **given: Any) -> Any:
        """Run it; see `Script.run`.

        Args:
            caller: Whose message this process works on.
            data: Bytes, which need not be text.
            given: What else it is called with.
        """
        return self._script.run(
            data,
            key=caller.keys,
            prefix={"reply": reply_key(""), "no_room": no_room_key(""), "again": again_key("")},
            token=caller.token,
            content=caller.content,
            process=process_name(),
            reply_s=get_settings().reply_ttl_s,
            channel=REPLIED_CHANNEL,
            **given,
        )
