"""The wire format of the open-source track (`TVPredictInput`, `TVPredictOutput`), in source pixels.

Source: the public repository score-technologies/turbovision, facts as listed in docs/reference/wire.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from services.errors import ChallengeError, InvalidChallenge
from services.wire.challenge import ChallengeFrame, check_assets
from services.wire.gsr import KEYPOINTS_PER_FRAME
from services.wire.request import decode_request


class TvMeta(msgspec.Struct, frozen=True):
    """What the caller expects; other fields are ignored.

    Attributes:
        batch_size: Accepted and checked; batches are made as BATCH_SIZE says, which is what was warmed.
        n_keypoints: 32, the number that is answered.
    """

    batch_size: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    n_keypoints: int = KEYPOINTS_PER_FRAME


class TvInput(msgspec.Struct, frozen=True):
    """What is asked: a video or pictures."""

    url: str | None = None
    frames: tuple[ChallengeFrame, ...] | None = None
    meta: TvMeta = TvMeta()


def read_input(body: bytes) -> TvInput:
    """Read an input.

    Raises:
        InvalidChallenge: It is not such an input, names nothing to look at, or expects what is not answered
            here.
    """
    given = decode_request(body, TvInput, "TVPredictInput")
    check_assets(given.url, given.frames, None)
    if given.meta.n_keypoints != KEYPOINTS_PER_FRAME:
        raise InvalidChallenge(
            f"meta.n_keypoints is {given.meta.n_keypoints}; {KEYPOINTS_PER_FRAME} keypoints are answered here"
        )
    return given


class TvBox(msgspec.Struct, frozen=True):
    """One box; classes as in `gsr`: 0 ball, 1 goalkeeper, 2 player, 3 referee."""

    x1: int
    y1: int
    x2: int
    y2: int
    cls_id: int
    conf: float


class TvFrame(msgspec.Struct, frozen=True):
    """One frame: the number it was given, or that in the video; an absent keypoint is 0, 0."""

    frame_id: int
    boxes: list[TvBox]
    keypoints: list[tuple[int, int]]


class TvOutput(msgspec.Struct, frozen=True):
    """The whole answer; `error` says why where there are no predictions."""

    success: bool
    predictions: dict[Literal["frames"], list[TvFrame]] | None = None
    error: str | None = None


def encode_frames(frames: list[TvFrame]) -> bytes:
    """A successful answer."""
    return msgspec.json.encode(TvOutput(True, {"frames": frames}))


def encode_error(error: ChallengeError) -> bytes:
    """The answer to an input that came to nothing."""
    return msgspec.json.encode(TvOutput(False, error=f"{type(error).__name__}: {error}"))


def decode_output(body: bytes) -> TvOutput:
    """Read an answer back, checking the schema; for tests, the CLI and evaluation."""
    return msgspec.json.decode(body, type=TvOutput)
