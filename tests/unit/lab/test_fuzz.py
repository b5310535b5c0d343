"""A slice of `make fuzz`, and inputs that once showed a problem."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator

import pytest

from touchline_lab.reliability.fuzz import fuzz, mutate
from touchline_lab.reliability.fuzz_targets import Target, all_targets

TARGETS = {target.name: target for target in all_targets()}
ONCE = {
    "replies": [b"", b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x04{\xff\xfe}"],
    "h264": [b"\x01d\x00\x1f\xff\xe1\xff\xff" + bytes(70_000)],
    "hevc": [bytes(22) + b"\xff" + bytes(100_000), bytes(22) + b"\x01\x21\xff\xff" + bytes(200_000)],
}


@pytest.fixture(autouse=True)
def _garbage_of_others() -> Iterator[None]:
    """An execution is timed, and does not go through what other tests have left."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_ends_in_announced_errors(name: str) -> None:
    target = TARGETS[name]
    assert fuzz(target, 200 if name in ("videos", "pictures") else 1000).problems == ()


@pytest.mark.parametrize("name", ONCE)
def test_what_was_found_stays_mended(name: str) -> None:
    for data in ONCE[name]:
        TARGETS[name].read(data)


def test_a_problem_is_reported_with_its_input() -> None:
    def read(data: bytes) -> None:
        raise KeyError(len(data))

    report = fuzz(Target("own", (b"seed",), read), executions=3)
    assert report.executions == len(report.problems) == 3
    assert report.problems[0][1].startswith("KeyError")


def test_the_same_seed_makes_the_same_inputs() -> None:
    made = [mutate(b"0123456789", (b"abc",), random.Random(4)) for _ in range(2)]
    assert made[0] == made[1]
