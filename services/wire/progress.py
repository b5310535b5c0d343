"""What a worker tells about a challenge while it works on it: which stage has begun, and when."""

from __future__ import annotations

import msgspec

PROGRESS_PREFIX = "touchline:progress:"


class Progress(msgspec.Struct, frozen=True):
    """A stage of a challenge that has begun.

    Attributes:
        stage: As the timeline names it (docs/glossary.md).
        seconds: Since the worker began with the challenge.
    """

    stage: str
    seconds: float


def progress_channel(token: str) -> str:
    """The Redis channel of the challenge whose reply has that name; each message is a `Progress` in JSON."""
    return PROGRESS_PREFIX + token


def encode_progress(progress: Progress) -> bytes:
    """As it travels."""
    return msgspec.json.encode(progress)


def decode_progress(data: bytes) -> Progress:
    """From Redis.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return msgspec.json.decode(data, type=Progress)
