from __future__ import annotations

import time

import pytest

from services.deadline import Deadline
from services.errors import DeadlineExceeded


def test_from_epoch_keeps_the_distance() -> None:
    deadline = Deadline.from_epoch(time.time() + 100)
    assert 99 < deadline.remaining() <= 100


def test_check_raises_with_the_stage_once_passed() -> None:
    assert Deadline.after(50).check("decode") > 0
    with pytest.raises(DeadlineExceeded, match="decode") as caught:
        Deadline.after(-1).check("decode")
    assert caught.value.stage == "decode"


def test_bound_never_exceeds_what_is_left_nor_falls_to_zero() -> None:
    assert Deadline.after(100).bound(2) == 2
    assert Deadline.after(1).bound(50) <= 1
    assert Deadline.after(-5).bound(50) == 0.001
