"""What a miner's front end imports: submit a challenge, await its answer.

    from tasks.client import submit

    answer = await submit("https://...mp4", challenge_id="42")
    return Response(answer.body, media_type="application/json")

A front end that has many challenges at a time lets them share the connections of a `Client`:

    async with Client() as client:
        answer = await client.submit("https://...mp4", challenge_id="42")

It needs the base installation only: no torch, OpenCV, numpy or server. Importing it is cheap: what it
needs is imported by the first `submit`. Failures are raised as the typed errors of `services.errors`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.wire.challenge import ChallengeFrame
    from services.wire.progress import Progress
    from services.wire.reply import Answer
    from tasks.shared_client import Client
    from tasks.submission import Submission

__all__ = [
    "Answer",
    "ChallengeFrame",
    "Client",
    "Progress",
    "Submission",
    "submit",
]

_HOMES: Final = {
    "Answer": "services.wire.reply",
    "ChallengeFrame": "services.wire.challenge",
    "Client": "tasks.shared_client",
    "Progress": "services.wire.progress",
    "Submission": "tasks.submission",
}
"""Where the public names lie; each is imported when it is asked for."""


def submit(
    video_url: str = "",
    *,
    frames: Sequence[ChallengeFrame | Mapping[str, Any]] = (),
    image_url: str = "",
    challenge_id: str | None = None,
    kind: str = "gsr",
    deadline_s: float | None = None,
    redis_url: str | None = None,
) -> Submission:
    """Enqueue a challenge; takes a few milliseconds.

    Args:
        video_url: Where the clip lies.
        frames: Pictures instead of a video, each with `frame_id` and `url` or `data`.
        image_url: Where one picture lies, instead.
        challenge_id: The validator's id; one is made when there is none.
        kind: The challenge kind; one of SERVED_KINDS, which the front end and the workers share.
        deadline_s: Seconds from now after which no answer is wanted; DEFAULT_DEADLINE_S when not given.
        redis_url: The Redis server; REDIS_URL when not given.

    Raises:
        InvalidChallenge: The arguments are no challenge.
        TooLarge: The frames have more bytes than MAX_VIDEO_MB allows.
        UnsupportedKind: The kind is not served here; nothing was sent.
        QueueFull: MAX_QUEUE challenges are waiting, or what waits takes longer than the deadline.
        QueueUnavailable: Redis cannot be reached.
    """
    from services.settings import get_settings
    from tasks.challenge_arguments import make_challenge, make_token, queue_url
    from tasks.submission import send

    challenge = make_challenge(
        video_url=video_url,
        frames=frames,
        image_url=image_url,
        challenge_id=challenge_id,
        kind=kind,
        deadline_s=deadline_s,
    )
    return send(challenge, make_token(), queue_url(redis_url), get_settings())


def __getattr__(name: str) -> Any:
    """A public name that is imported when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
