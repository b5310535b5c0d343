"""The wire format of the GSR track (`POST /soccer/challenge`), all coordinates in source-video pixels.

Source: the public repository score-technologies/score-vision, facts as listed in docs/reference/wire.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from services.wire.request import decode_request

DECIMALS = 2
"""Coordinates are rounded to this many decimals, as the validator does on its side."""

KEYPOINTS_PER_FRAME = 32
"""Keypoints of each frame of an answer; those that are not seen are 0, 0."""


class GsrRequest(msgspec.Struct, frozen=True):
    """What a validator posts; fields that are not listed here are ignored.

    Attributes:
        challenge_id: A string; numbers are refused.
        video_url: Where the clip lies.
        type: The kind; only `gsr` is known.
    """

    challenge_id: str
    video_url: str
    type: Literal["gsr"] = "gsr"


def read_request(body: bytes) -> GsrRequest:
    """Read a request.

    Raises:
        InvalidChallenge: It is not such a request; the text names the field.
    """
    return decode_request(body, GsrRequest, "request of the GSR track")


class GsrObject(msgspec.Struct, frozen=True):
    """One box: track id, x1, y1, x2, y2, and class (0 ball, 1 goalkeeper, 2 player, 3 referee)."""

    id: int
    bbox: tuple[float, float, float, float]
    class_id: int


class GsrFrame(msgspec.Struct, frozen=True):
    """One frame of the source video, with exactly 32 keypoints; an absent one is `[0.0, 0.0]`."""

    frame_number: int
    keypoints: list[tuple[float, float]]
    objects: list[GsrObject]


class GsrResponse(msgspec.Struct, frozen=True):
    """The whole answer; `frames` is a list in the order of the video."""

    challenge_id: str
    frames: list[GsrFrame]
    processing_time: float


def decode_response(body: bytes) -> GsrResponse:
    """Read an answer back, checking the schema; for tests, the CLI and evaluation."""
    return msgspec.json.decode(body, type=GsrResponse)


def frames_part(body: bytes) -> bytes:
    """The part of an encoded answer that depends on the video alone, not on its id or the time it took.

    Two answers to the same clip are the same exactly when these bytes are.
    """
    start = body.index(b'"frames":')
    return body[start : body.rindex(b',"processing_time":')]
