"""A worker's reply as it travels through Redis.

One list element per challenge: four bytes of header length (big endian), a JSON header, and the body
bytes exactly as the worker encoded them, so that nobody on the way has to parse megabytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from services.errors import ChallengeError, error_from_wire, error_to_wire

REPLY_PREFIX = "touchline:reply:"
CLAIM_PREFIX = "touchline:claim:"
ANSWER_PREFIX = "touchline:answer:"
JOINED_PREFIX = "touchline:joined:"
NO_ROOM_PREFIX = "touchline:no-room:"
CANCELLED_PREFIX = "touchline:cancelled:"
CONTENT_PREFIX = "touchline:content:"
AGAIN_PREFIX = "touchline:again:"
REPLIED_CHANNEL = "touchline:replied"
"""Redis channel on which the token of every reply is published once the reply is there."""


class Answer(msgspec.Struct, frozen=True):
    """A complete answer.

    Attributes:
        challenge_id: Whose answer it is.
        body: The encoded response, ready to be sent to the validator as it is.
        partial: Whether the time, or the download, ended before the work was done.
        timeline: `Timeline.to_dict()` of the worker.
    """

    challenge_id: str
    body: bytes
    partial: bool
    timeline: dict[str, Any]


class _Header(msgspec.Struct):
    challenge_id: str
    partial: bool = False
    timeline: dict[str, Any] = {}
    error: dict[str, Any] | None = None


def reply_key(token: str) -> str:
    """The Redis list that one submission waits on."""
    return REPLY_PREFIX + token


def claim_key(challenge_id: str) -> str:
    """The Redis key by which one process makes a challenge its own."""
    return CLAIM_PREFIX + challenge_id


def answer_key(challenge_id: str) -> str:
    """The Redis key of a challenge's answer, kept for those who submit it again."""
    return ANSWER_PREFIX + challenge_id


def joined_key(challenge_id: str) -> str:
    """The Redis set of the tokens of further callers that wait for a challenge which is worked on."""
    return JOINED_PREFIX + challenge_id


def no_room_key(token: str) -> str:
    """The Redis list with the no-room reply: a caller leaves it with its challenge, for a full Redis."""
    return NO_ROOM_PREFIX + token


def cancelled_key(token: str) -> str:
    """The Redis key that a caller sets when it no longer waits."""
    return CANCELLED_PREFIX + token


def content_key(challenge_id: str) -> str:
    """The Redis key of what a claimed or answered challenge asks for, as `content_digest` gives it."""
    return CONTENT_PREFIX + challenge_id


def again_key(token: str) -> str:
    """The Redis key of the queue message of a caller that joined, in case it has to be tried once more."""
    return AGAIN_PREFIX + token


def _pack(header: _Header, body: bytes) -> bytes:
    head = msgspec.json.encode(header)
    return len(head).to_bytes(4, "big") + head + body


def pack_answer(answer: Answer) -> bytes:
    """The reply that brings an answer."""
    return _pack(_Header(answer.challenge_id, answer.partial, answer.timeline), answer.body)


def pack_error(challenge_id: str, error: ChallengeError, timeline: dict[str, Any] | None = None) -> bytes:
    """The reply that brings an error."""
    return _pack(_Header(challenge_id, timeline=timeline or {}, error=error_to_wire(error)), b"")


def unpack_reply(data: bytes) -> Answer:
    """Read a reply.

    Raises:
        ChallengeError: The worker's error, with its own type; its `timeline` attribute holds the stages. A
            plain one where the bytes are no reply.
    """
    length = int.from_bytes(data[:4], "big")
    try:
        header = msgspec.json.decode(data[4 : 4 + length], type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChallengeError(f"the reply cannot be read: {error}", stage="reply") from error
    if header.error is not None:
        failure = error_from_wire(header.error)
        failure.timeline = header.timeline
        raise failure
    return Answer(header.challenge_id, data[4 + length :], header.partial, header.timeline)
