"""The message that travels from a front end to a worker."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection
from typing import Annotated, Any, Final

import msgspec

from services.errors import InvalidChallenge, UnsupportedKind

MAX_FRAME_ID = 2**31 - 1
"""The largest number of a picture; a day at 25 frames a second has two million."""
OUT_OF_SCOPE = {"tcg_grading": "grading pictures of trading cards is out of this project's scope"}
"""Kinds that exist elsewhere and that no setting brings here, with the reason."""


class ChallengeFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One picture of a challenge that brings pictures instead of a video.

    Attributes:
        frame_id: Its number, as the answer names it.
        url: Where it lies.
        data: The picture itself, JPEG or PNG in base64; takes precedence over `url`.
    """

    frame_id: Annotated[int, msgspec.Meta(ge=0, le=MAX_FRAME_ID)]
    url: str | None = None
    data: str | None = None


class Challenge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One challenge, as enqueued. It brings a video, or pictures, or one picture; searched in this order.

    Attributes:
        challenge_id: The validator's id; at most one answer per id is given.
        video_url: Where the clip lies.
        frames: The pictures.
        image_url: Where the one picture lies.
        kind: The challenge kind.
        deadline: Time after which no answer is wanted, in seconds since 1970: by Redis's clock on the wire,
            by this machine's clock in a front end and in a worker.
        submitted_at: Time of the submission, by the same clock.
        progress: Whether the worker is to tell which stages have begun (services/wire/progress.py).
    """

    challenge_id: str
    deadline: float
    submitted_at: float
    kind: str = "gsr"
    video_url: str = ""
    frames: tuple[ChallengeFrame, ...] = ()
    image_url: str = ""
    progress: bool = False

    @property
    def pictures(self) -> tuple[ChallengeFrame, ...]:
        """What there is instead of a video, by rising number; empty when there is a video."""
        if self.video_url:
            return ()
        alone = (ChallengeFrame(0, self.image_url),) if self.image_url else ()
        return tuple(sorted(self.frames, key=lambda frame: frame.frame_id)) or alone


_SIGNING: Final = re.compile(
    r"(x-(amz|goog|oss|cos|ms)-|q-(sign|ak|key)).*|signature|sign?|hmac|policy|key-pair-id|verify|hdn(ts|ea|tl)"
    r"|(aws|oss)accesskeyid|googleaccessid|expir(es?|y|ation)|exp|(security-|access_|__)?token(__)?|auth(_key)?",
    re.IGNORECASE,
)
"""Names of the parameters by which object stores and content networks sign an address."""
_SIGNING_AZURE: Final = re.compile(r"sig|s[eprtv]|ss|srt|spr|sip|sk(oid|tid|[tesv])", re.IGNORECASE)
"""The same of Azure; short names, which count only beside its `sig`."""


def content_digest(challenge: Challenge) -> str:
    """What a challenge asks for, in 32 hexadecimal digits: its kind, pictures and addresses.

    Of an address what signs it does not count: a validator that asks again may have had it signed anew. All
    else of its query does, for it may be what names the clip. The deadline belongs to a submission.
    """
    asked = [
        challenge.kind,
        _unsigned(challenge.video_url),
        _unsigned(challenge.image_url),
        [(frame.frame_id, _unsigned(frame.url or ""), frame.data) for frame in challenge.frames],
    ]
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:32]


def _unsigned(url: str) -> str:
    """An address without its fragment and what signs it; the order of its parameters does not matter."""
    base, _, query = url.partition("#")[0].partition("?")
    names = {part: part.partition("=")[0] for part in query.split("&") if part}
    signing = [_SIGNING, _SIGNING_AZURE] if "sig" in names.values() else [_SIGNING]
    kept = [part for part, name in names.items() if not any(one.fullmatch(name) for one in signing)]
    return "?".join([base, *(["&".join(sorted(kept))] if kept else [])])


def another_content(challenge: Challenge) -> InvalidChallenge:
    """The error of a challenge whose id belongs to one with another content."""
    return InvalidChallenge(
        f"the id {challenge.challenge_id!r} belongs to another challenge that is worked on or done; "
        "one of another kind or with other addresses or pictures needs an id of its own"
    )


WHAT_IT_TAKES = {
    "cricket_delivery": "it takes a predictor that is plugged in, and its name in SERVED_KINDS and PREDICTOR "
    "(docs/guides/challenge-kinds.md)"
}


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
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
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
    check_assets(challenge.video_url, challenge.frames, challenge.image_url)
    if not (math.isfinite(challenge.deadline) and math.isfinite(challenge.submitted_at)):
        raise InvalidChallenge("deadline and submitted_at must be finite numbers (seconds since 1970)")


def check_assets(
    video_url: str | None, frames: Collection[ChallengeFrame] | None, image_url: str | None
) -> None:
    """Check that there is something to look at.

    Raises:
        InvalidChallenge: There is nothing, or a frame has neither address nor data, or a number comes twice.
    """
    if not (video_url or frames or image_url):
        raise InvalidChallenge("one of video_url, frames and image_url is needed")
    empty = [frame.frame_id for frame in frames or () if not (frame.url or frame.data)]
    if empty:
        raise InvalidChallenge(f"frame {empty[0]} has neither url nor data")
    if len({frame.frame_id for frame in frames or ()}) < len(frames or ()):
        raise InvalidChallenge("two frames have the same frame_id")


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
    why = OUT_OF_SCOPE.get(kind) or WHAT_IT_TAKES.get(kind) or "SERVED_KINDS does not name it"
    raise UnsupportedKind(f"kind {kind!r} is not answered here: {why}; served: {', '.join(sorted(served))}")
