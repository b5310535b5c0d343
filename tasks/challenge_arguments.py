"""From the arguments of `submit` to a challenge, or a typed error that names the argument."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from services.errors import InvalidChallenge, TooLarge
from services.wire.challenge import Challenge, ChallengeFrame, check_challenge, check_kind

if TYPE_CHECKING:
    from services.settings import Settings

TOKEN_BYTES = 10
"""Random bytes of the name of a reply: 80 bits. Nobody can guess it, and Flower's table has room for it."""


def make_challenge(
    *,
    video_url: str,
    frames: Sequence[ChallengeFrame | Mapping[str, Any]],
    image_url: str,
    challenge_id: str | None,
    kind: str,
    deadline_s: float | None,
    progress: bool = False,
    settings: Settings | None = None,
) -> Challenge:
    """Check arguments and make a challenge, with its times by this machine's clock.

    The arguments are those of `tasks.client.submit`, and the settings, if they are not the environment's.

    Raises:
        InvalidChallenge: The arguments are no challenge.
        TooLarge: The frames have more bytes than MAX_VIDEO_MB allows.
        UnsupportedKind: The kind is not served here.
    """
    _check_types(
        video_url=(video_url, str),
        image_url=(image_url, str),
        challenge_id=(challenge_id, str | None),
        kind=(kind, str),
        deadline_s=(deadline_s, int | float | None),
    )
    from services.settings import get_settings

    settings = settings or get_settings()
    now = time.time()
    challenge = Challenge(
        challenge_id=challenge_id if challenge_id is not None else uuid.uuid4().hex,
        video_url=video_url,
        frames=_frames(frames),
        image_url=image_url,
        kind=kind,
        deadline=now + (settings.default_deadline_s if deadline_s is None else deadline_s),
        submitted_at=now,
        progress=progress,
    )
    check_challenge(challenge)
    size = sum(len(frame.data or "") for frame in challenge.frames) * 3 / 4
    if size > settings.max_video_mb * 1_000_000:
        raise TooLarge(
            f"the frames have {size:.0f} bytes; MAX_VIDEO_MB allows {settings.max_video_mb}", stage="accept"
        )
    check_kind(kind, settings.served_kinds)
    return challenge


def make_token() -> str:
    """A name for a reply."""
    return secrets.token_hex(TOKEN_BYTES)


def queue_url(redis_url: str | None) -> str:
    """The address of Redis: an argument, or the setting.

    Raises:
        InvalidChallenge: It is not of text.
        SettingsError: It is no address that is supported.
    """
    from services.settings import get_settings

    _check_types(redis_url=(redis_url, str | None))
    return get_settings().broker_url if redis_url is None else _checked(redis_url)


@lru_cache(maxsize=8)
def _checked(url: str) -> str:
    from services.settings import load_settings

    return load_settings(redis_url=url).broker_url


def _check_types(**arguments: tuple[object, Any]) -> None:
    """Refuse arguments of other types than the signature has, by name."""
    for name, (value, wanted) in arguments.items():
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidChallenge(f"{name}={value!r:.80} is of the wrong type: {type(value).__name__}")
        if isinstance(value, str) and not value.isascii():
            try:
                # half a surrogate pair is text to Python, and no text to JSON
                value.encode()
            except UnicodeEncodeError as error:
                raise InvalidChallenge(f"{name}={value!r:.80} is not valid Unicode: {error}") from error


def _frames(frames: Sequence[ChallengeFrame | Mapping[str, Any]]) -> tuple[ChallengeFrame, ...]:
    if not isinstance(frames, list | tuple):
        raise InvalidChallenge(f"frames must be a list, not {type(frames).__name__}")
    try:
        return tuple(
            frame if isinstance(frame, ChallengeFrame) else msgspec.convert(frame, ChallengeFrame)
            for frame in frames
        )
    except msgspec.ValidationError as error:
        raise InvalidChallenge(f"not a frame: {error}") from error
