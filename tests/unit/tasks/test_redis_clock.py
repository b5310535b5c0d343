"""Front end and worker translate between Redis's clock and their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.wire.challenge import Challenge
from tasks import redis_clock
from tasks.redis_clock import by_own_clock, clock_difference, described


class Server:
    """Says a time."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> tuple[int, int]:
        return int(self.now), int(self.now % 1 * 1e6)


def difference_of(server: float, *own: float) -> float:
    """What is found by a machine whose clock shows these times before and after the question."""
    times = iter(own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_clock, "time", SimpleNamespace(time=lambda: next(times)))
        connection: Any = Server(server)
        return clock_difference(connection)


def test_a_difference_is_found_in_the_middle_of_the_round_trip() -> None:
    assert difference_of(1020.5, 1000.0, 1001.0) == pytest.approx(20)
    assert difference_of(980.5, 1000.0, 1001.0) == pytest.approx(-20)


def test_what_synchronised_machines_differ_by_is_no_difference() -> None:
    assert difference_of(1000.1, 1000.0, 1000.001) == 0


def test_a_slow_round_trip_is_no_difference() -> None:
    assert difference_of(1000.0, 1000.0, 1001.0) == 0


def test_times_are_translated() -> None:
    sent = Challenge(challenge_id="1", video_url="https://h/x", deadline=130.0, submitted_at=100.0)
    own = by_own_clock(sent, 20.0)
    assert (own.deadline, own.submitted_at) == (110.0, 80.0)
    assert by_own_clock(own, -20.0) == sent


def test_an_error_names_the_difference() -> None:
    assert described(0) == ""
    assert "is 20.0 s behind Redis's" in described(20)
    assert "is 3.5 s ahead of Redis's" in described(-3.5)
