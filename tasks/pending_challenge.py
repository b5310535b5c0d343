"""A challenge that was enqueued and whose answer is waited for, by a thread or on an event loop."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from services.errors import ChallengeError, DeadlineExceeded, QueueUnavailable
from services.timeline import with_result_wait
from services.wire.challenge import Challenge
from services.wire.reply import Answer, no_room_key, reply_key, unpack_reply
from tasks.redis_clock import described

GRACE_S = 0.25
"""Seconds: a worker gives up at the deadline; its error is worth this much more waiting."""
RECONNECT_S = 0.2
"""Seconds between two attempts to connect to Redis while an answer is waited for."""


class PendingChallenge:
    """What the caller of a challenge has to know until the answer is there.

    Args:
        challenge: With its times by Redis's clock.
        token: Names the reply.
        clock_difference: Seconds by which Redis's clock is ahead of this machine's.
        traceparent: The trace that the challenge belongs to.

    Attributes:
        deadline: By this machine's clock, seconds since 1970.
        stored: The reply, if the challenge was answered before it was submitted.
        message: As it was put on the queue; None before that.
    """

    stored: bytes | None = None
    message: bytes | None = None

    def __init__(
        self, challenge: Challenge, token: str, clock_difference: float, traceparent: str | None = None
    ) -> None:
        self.challenge = challenge
        self.token = token
        self.traceparent = traceparent
        self.deadline = challenge.deadline - clock_difference
        self.clock_difference = clock_difference
        self._until = time.monotonic() + self.deadline - time.time()

    @property
    def keys(self) -> tuple[str, str]:
        """Of the reply, and of the no-room reply, which is there as long as Redis has its data."""
        return reply_key(self.token), no_room_key(self.token)

    def left_s(self) -> float:
        """Seconds until nothing is waited for any more; never 0, which would mean for ever."""
        return max(0.01, self._until - time.monotonic() + GRACE_S)

    def is_over(self) -> bool:
        """Whether nothing is waited for any more."""
        return time.monotonic() > self._until + GRACE_S

    def pause_s(self, lost: Exception) -> float:
        """Seconds until the next attempt to reach Redis.

        Raises:
            QueueUnavailable: There is no time for one, or it would not help.
        """
        import redis

        if isinstance(lost, redis.exceptions.OutOfMemoryError):
            raise QueueUnavailable(f"Redis has no room for the answer: {lost}") from lost
        if time.monotonic() + RECONNECT_S > self._until + GRACE_S:
            raise QueueUnavailable(f"Redis went away while waiting for the answer: {lost}") from lost
        return RECONNECT_S

    def open(self, data: bytes | None) -> Answer:
        """The answer in a reply.

        Raises:
            ChallengeError: With the type that the worker gave it; `DeadlineExceeded` when there is no reply.
        """
        if data is None:
            raise DeadlineExceeded(
                f"no answer to challenge {self.challenge.challenge_id!r} before its deadline; "
                f"is a worker running?{described(self.clock_difference)}"
            )
        try:
            answer = unpack_reply(data)
        except ChallengeError as error:
            error.timeline = self._with_result_wait(error.timeline)
            raise
        return msgspec.structs.replace(answer, timeline=self._with_result_wait(answer.timeline))

    def _with_result_wait(self, timeline: dict[str, Any]) -> dict[str, Any]:
        received = time.time() + self.clock_difference
        whole = with_result_wait(timeline, received, self.challenge.submitted_at)
        if self.traceparent is not None:
            from services.monitoring.tracing import record_result_wait

            record_result_wait(whole, self.traceparent)
        return whole
