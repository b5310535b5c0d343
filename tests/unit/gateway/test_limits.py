from __future__ import annotations

import pytest

from services.gateway.limits import Limits
from services.gateway.rejection import Rejection


def test_requests_are_counted_while_they_wait() -> None:
    limits = Limits(10, 2)
    with limits.waits("a"), limits.waits("b"):
        assert limits.waiting == 2
    assert limits.waiting == 0


def test_one_validator_cannot_take_all_places() -> None:
    limits = Limits(10, 2)
    with limits.waits("a"), limits.waits("a"):
        with pytest.raises(Rejection, match="MAX_REQUESTS_PER_HOTKEY") as refused, limits.waits("a"):
            pytest.fail("let in")
        with limits.waits("b"):
            assert limits.waiting == 3
    assert refused.value.status == 429


def test_all_together_have_a_limit_too() -> None:
    limits = Limits(1, 5)
    with limits.waits("a"), pytest.raises(Rejection, match=r"\(MAX_REQUESTS\)"), limits.waits("b"):
        pytest.fail("let in")
    with limits.waits("b"):
        assert limits.waiting == 1


def test_where_nobody_knows_who_asks_all_together_have_a_limit() -> None:
    limits = Limits(3, 1)
    with (
        limits.waits(None),
        limits.waits(None),
        limits.waits(None),
        pytest.raises(Rejection, match=r"\(MAX_REQUESTS\)"),
        limits.waits(None),
    ):
        pytest.fail("let in")
