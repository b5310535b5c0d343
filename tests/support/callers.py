"""Callers that wait for an answer while a test does something to the system."""

from __future__ import annotations

import threading

from services.errors import ChallengeError
from services.wire.reply import Answer
from tasks.client import submit


class Caller(threading.Thread):
    """A caller that waits in a thread of its own for an answer or an error."""

    def __init__(self, redis_url: str, url: str, challenge_id: str, deadline_s: float = 60.0) -> None:
        super().__init__(daemon=True)
        self.submission = submit(url, redis_url=redis_url, challenge_id=challenge_id, deadline_s=deadline_s)
        self.answer: Answer | None = None
        self.error: ChallengeError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self.submission.wait()
        except ChallengeError as error:
            self.error = error

    def outcome(self) -> Answer:
        self.join(90)
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer
