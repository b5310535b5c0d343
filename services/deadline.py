"""One deadline per challenge: absolute on the wire, monotonic inside a process."""

from __future__ import annotations

import time
from dataclasses import dataclass

from services.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time that does not move when somebody sets the clock.

    Attributes:
        at: Monotonic time of this process, seconds.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def from_epoch(cls, epoch: float) -> Deadline:
        """The deadline at a wall-clock time (seconds since 1970), as it stands on the wire."""
        return cls(time.monotonic() + (epoch - time.time()))

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.at - time.monotonic()

    def check(self, stage: str) -> float:
        """Seconds left.

        Raises:
            DeadlineExceeded: None are left; `stage` says where that was noticed.
        """
        left = self.remaining()
        if left <= 0:
            raise DeadlineExceeded(f"the deadline passed {-left:.2f} s ago, in {stage}", stage=stage)
        return left

    def bound(self, seconds: float) -> float:
        """The smaller of `seconds` and what is left, at least 1 ms: a time-out for one operation."""
        return max(0.001, min(seconds, self.remaining()))
