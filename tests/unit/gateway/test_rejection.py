from __future__ import annotations

import json

import pytest

from services.errors import ERROR_TYPES, ChallengeError
from services.gateway.rejection import Rejection, rejection_of, status_of


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidChallenge", 422),
        ("UnsupportedKind", 422),
        ("UrlRefused", 422),
        ("TooLarge", 413),
        ("CorruptVideo", 422),
        ("ConnectFailed", 502),
        ("SourceRejected", 502),
        ("DeadlineExceeded", 504),
        ("QueueUnavailable", 503),
        ("WorkerLost", 503),
        ("DeviceLost", 503),
    ],
)
def test_each_error_has_the_status_that_says_whose_fault_it_is(name: str, status: int) -> None:
    assert status_of(ERROR_TYPES[name]("why")) == status


@pytest.mark.parametrize("error", ERROR_TYPES.values(), ids=lambda error: error.__name__)
def test_no_error_is_an_internal_one(error: type[ChallengeError]) -> None:
    assert status_of(error("why")) != 500


def test_a_rejection_is_said_in_json() -> None:
    response = rejection_of(ERROR_TYPES["UrlRefused"]("host 'x' is not in ALLOWED_HOSTS")).response()
    assert response.headers["content-type"] == "application/json"
    assert json.loads(bytes(response.body)) == {
        "error": "UrlRefused",
        "detail": "host 'x' is not in ALLOWED_HOSTS",
    }
    assert Rejection(401, "nonce", "old").response().status_code == 401
