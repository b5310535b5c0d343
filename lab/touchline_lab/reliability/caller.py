"""A caller that waits for its answer while something is done to the system."""

from __future__ import annotations

import threading
import time
from typing import Final

from services.errors import ChallengeError
from services.wire.reply import Answer
from tasks.client import Submission, submit

RESULT_S: Final = 90.0
"""Seconds for which `result` waits: more than any deadline, so that only what has failed reaches it."""


class Caller(threading.Thread):
    """Waits for the outcome of one challenge in a thread of its own.

    Attributes:
        submission: The challenge.
        challenge_id: Its id.
        ended: When its outcome was there, by `time.monotonic`; 0 while it waits.
    """

    def __init__(self, submission: Submission) -> None:
        super().__init__(daemon=True, name=f"caller-{submission.challenge_id}")
        self.submission = submission
        self.challenge_id = submission.challenge_id
        self.ended = 0.0
        self._answer: Answer | None = None
        self._error: ChallengeError | None = None
        self.start()

    def run(self) -> None:
        """Wait."""
        try:
            self._answer = self.submission.wait()
        except ChallengeError as error:
            self._error = error
        self.ended = time.monotonic()

    @property
    def outcome(self) -> str:
        """In a word: `answer`, or the error's type; `nothing` while it waits."""
        if self._error is not None:
            return type(self._error).__name__
        return "answer" if self._answer is not None else "nothing"

    def result(self) -> Answer:
        """The answer, once it is there.

        Raises:
            ChallengeError: What the caller got instead.
            TimeoutError: It got nothing.
        """
        self.join(RESULT_S)
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise TimeoutError(f"challenge {self.submission.challenge_id} has neither answer nor error")
        return self._answer


def submit_in_thread(url: str, redis_url: str, challenge_id: str, deadline_s: float = 60.0) -> Caller:
    """Submit a challenge now, and wait for its outcome in a thread."""
    return Caller(submit(url, redis_url=redis_url, challenge_id=challenge_id, deadline_s=deadline_s))
