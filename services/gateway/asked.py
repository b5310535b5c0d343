"""What the three official requests ask for, in the form that the queue takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.errors import UnsupportedKind
from services.settings import Settings
from services.wire import gsr, private_track, tv_predict
from services.wire.challenge import ChallengeFrame

KINDS_WITH_OWN_ROUTE: Final = ("gsr", "tv_predict")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, as arguments of `Client.submit`."""

    kind: str
    challenge_id: str | None = None
    video_url: str = ""
    frames: tuple[ChallengeFrame, ...] = ()
    image_url: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, without what is empty."""
        frames = [msgspec.to_builtins(frame) for frame in self.frames]
        found = {"video_url": self.video_url, "image_url": self.image_url, "frames": frames}
        return {name: value for name, value in found.items() if value}

    @property
    def urls(self) -> list[str]:
        """All addresses that a worker would fetch from."""
        own = [self.video_url, self.image_url, *(frame.url or "" for frame in self.frames if not frame.data)]
        return [url for url in own if url]


Reader = Callable[[bytes, Settings], Asked]
"""Reads a body; raises InvalidChallenge where it is not the request of its route."""


def read_gsr(body: bytes, settings: Settings) -> Asked:
    """`POST /soccer/challenge`: the GSR track.

    Raises:
        InvalidChallenge: The body is not such a request.
    """
    given = gsr.read_request(body)
    return Asked("gsr", given.challenge_id, given.video_url)


def private_kind(settings: Settings) -> str | None:
    """The kind of `POST /challenge`: the first of SERVED_KINDS without a route of its own, if any."""
    return next((kind for kind in settings.served_kinds if kind not in KINDS_WITH_OWN_ROUTE), None)


def read_private(body: bytes, settings: Settings) -> Asked:
    """`POST /challenge`: the private track, whose kind the deployment decides.

    Raises:
        InvalidChallenge: The body is not such a request.
        UnsupportedKind: The deployment serves no kind of this track.
    """
    kind = private_kind(settings)
    if kind is None:
        raise UnsupportedKind("SERVED_KINDS has no kind of the private track, such as soccer_action")
    given = private_track.read_request(body)
    return Asked(kind, given.challenge_id, given.video_url or "", given.frames or (), given.image_url or "")


def read_tv_predict(body: bytes, settings: Settings) -> Asked:
    """`POST /predict`: the open-source track.

    Raises:
        InvalidChallenge: The body is not such a request.
    """
    given = tv_predict.read_input(body)
    return Asked("tv_predict", None, given.url or "", given.frames or ())
