"""Why a request is not answered: an HTTP status with a JSON body, for every reason there is."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from services.errors import (
    ChallengeError,
    DeadlineExceeded,
    InferenceError,
    InvalidChallenge,
    QueueUnavailable,
    TooLarge,
    TransportError,
    UrlRefused,
    VideoError,
    WorkerLost,
)

STATUSES: Final[tuple[tuple[type[ChallengeError], int], ...]] = (
    (InvalidChallenge, 422),
    (UrlRefused, 422),
    (TooLarge, 413),
    (VideoError, 422),
    (TransportError, 502),
    (DeadlineExceeded, 504),
    (QueueUnavailable, 503),
    (WorkerLost, 503),
    (InferenceError, 503),
)
"""Status of each error; the first type that fits counts."""
OTHER_STATUS: Final = 503
"""Status of an error that no type above fits: the gateway itself is well, so it is not 500."""


class Rejection(Exception):
    """A request that is not answered.

    Args:
        status: HTTP status.
        reason: One word for programs, such as `signature`.
        message: What is wrong and what to do, for people.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def response(self) -> Response:
        """The rejection as a response."""
        return json_response(self.status, {"error": self.reason, "detail": self.message})


def status_of(error: ChallengeError) -> int:
    """The HTTP status that says best what happened to a challenge."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), OTHER_STATUS)


def rejection_of(error: ChallengeError) -> Rejection:
    """The rejection that stands for a challenge's error."""
    return Rejection(status_of(error), type(error).__name__, error.message)


def json_response(status: int, content: object) -> Response:
    """A response with a JSON body."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
