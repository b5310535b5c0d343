"""Refusals that pass: which they are, and how long to wait before asking again."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Final

from services.deadline import Deadline
from services.errors import SourceRejected, TransportError

FIRST_PAUSE_S: Final = 0.25
"""Seconds before the second request, where the origin states none; each further pause is twice as long."""
MAX_PAUSE_S: Final = 4.0
"""Longest pause in seconds that is taken unasked."""
MIN_LEFT_S: Final = 1.0
"""Seconds that have to be left after a pause: with less, nobody could use what comes then."""
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)
_LASTING: Final = frozenset({501, 505, 506, 510, 511})
"""Server errors that say what the server cannot do at all (RFC 9110)."""


def is_passing(status: int) -> bool:
    """Whether the same request may succeed later: 408, 425, 429 and most of 5xx, those of CDNs included."""
    return status in (408, 425, 429) or (500 <= status < 600 and status not in _LASTING)


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for; None when it asks for nothing that can be read."""
    if not value:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


class Backoff:
    """Pauses between requests that an origin refuses for a moment.

    Args:
        deadline: Nothing is waited for that would come too late.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._next_s = FIRST_PAUSE_S

    def pause_s(self, error: TransportError) -> float:
        """Seconds to wait before the request is sent again.

        Raises:
            TransportError: The same error, when it does not pass, or not before the deadline.
        """
        asked_s = error.retry_after_s if isinstance(error, SourceRejected) else None
        pause = max(self._next_s, asked_s or 0.0)
        self._next_s = min(2 * self._next_s, MAX_PAUSE_S)
        if not error.retryable or self._deadline.remaining() < pause + MIN_LEFT_S:
            raise error
        return pause
