from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from services.deadline import Deadline
from services.download.backoff import FIRST_PAUSE_S, MAX_PAUSE_S, Backoff, is_passing, retry_after_s
from services.errors import SourceRejected


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 527])
def test_refusals_that_pass(status: int) -> None:
    assert is_passing(status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 501, 505])
def test_refusals_that_last(status: int) -> None:
    assert not is_passing(status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("", None), ("soon", None), ("-1", None), ("²", None), ("0", 0.0), (" 120 ", 120.0)],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds


def test_retry_after_as_a_date() -> None:
    in_a_minute = retry_after_s(formatdate(time.time() + 60, usegmt=True))
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
    assert retry_after_s(formatdate(time.time() - 60, usegmt=True)) == 0.0


def test_pauses_double_up_to_a_longest_one() -> None:
    backoff = Backoff(Deadline.after(1000))
    error = SourceRejected("503", retryable=True)
    pauses = [backoff.pause_s(error) for _ in range(7)]
    assert pauses == [FIRST_PAUSE_S, 0.5, 1.0, 2.0, MAX_PAUSE_S, MAX_PAUSE_S, MAX_PAUSE_S]


def test_the_origin_may_ask_for_a_longer_pause() -> None:
    error = SourceRejected("429", retryable=True, retry_after_s=7.0)
    assert Backoff(Deadline.after(1000)).pause_s(error) == 7.0


@pytest.mark.parametrize(
    "error",
    [
        SourceRejected("404", retryable=False),
        SourceRejected("503", retryable=True, retry_after_s=29.5),
    ],
    ids=["lasts", "passes too late"],
)
def test_what_cannot_come_in_time_is_raised_at_once(error: SourceRejected) -> None:
    with pytest.raises(SourceRejected) as caught:
        Backoff(Deadline.after(30)).pause_s(error)
    assert caught.value is error
