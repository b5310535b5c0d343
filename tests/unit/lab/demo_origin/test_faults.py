"""Ranges and faults of the demo origin, without a server."""

from __future__ import annotations

import pytest

from touchline_lab.demo_origin.app import parse_range
from touchline_lab.demo_origin.faults import Fault, fault_from_query
from touchline_lab.demo_origin.setup_delay import SEED_DELAYS, SetupDelays


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-", (206, 0, 100)),
        ("bytes=10-19", (206, 10, 20)),
        ("bytes=-1", (206, 99, 100)),
        ("bytes=99-99", (206, 99, 100)),
        ("bytes=100-", (416, 0, 0)),
        ("bytes=-0", (416, 0, 0)),
        ("bytes=20-10", (200, 0, 100)),
        ("pages=1-2", (200, 0, 100)),
    ],
)
def test_ranges(header: str, expected: tuple[int, int, int]) -> None:
    assert parse_range(header, 100) == expected


def test_faults_come_from_the_query_and_leave_other_names_alone() -> None:
    fault = fault_from_query("stall_after=100&no_range=1&signature=abc&rate=2.5")
    assert fault == Fault(stall_after=100, no_range=True, rate=2.5)


def test_a_query_changes_the_fault_of_the_path() -> None:
    base = Fault(status=503, delay=1.0)
    assert fault_from_query("delay=2", base) == Fault(status=503, delay=2.0)
    assert fault_from_query("", base) is base


def test_a_fault_of_the_wrong_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        fault_from_query("status=teapot")


def test_the_first_limit_counts() -> None:
    assert Fault().limit is None
    assert Fault(cut_after=20, stall_after=10).limit == 10


def test_the_seeds_delays_add_up_to_what_operators_reported() -> None:
    assert SEED_DELAYS.total == pytest.approx(2.4)
    assert SetupDelays().total == 0
