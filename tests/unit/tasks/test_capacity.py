from __future__ import annotations

import msgspec
import pytest

from tasks.capacity import STALE_S, Capacity, WorkerCapacity, read_capacity, stale_workers

NOW = 1000.0


def record(at: float = NOW, children: int = 1, busy: int = 0, seconds: float | None = None) -> bytes:
    return msgspec.json.encode(WorkerCapacity(at, children, busy, seconds))


def test_workers_add_up_and_the_mean_is_weighted_by_children() -> None:
    records = {b"a": record(children=1, busy=1, seconds=2.0), b"b": record(children=3, seconds=4.0)}
    assert read_capacity(records, NOW) == Capacity(workers=2, children=4, busy=1, seconds=3.5)


def test_a_worker_that_has_answered_nothing_does_not_change_the_mean() -> None:
    records = {b"a": record(seconds=5.0), b"b": record()}
    assert read_capacity(records, NOW).seconds == 5.0


@pytest.mark.parametrize("data", [record(at=NOW - STALE_S), record(children=0), b"{", b'{"at": 1}'])
def test_a_record_that_is_old_or_unreadable_or_without_children_does_not_count(data: bytes) -> None:
    assert read_capacity({b"a": data}, NOW) == Capacity()


def test_records_of_workers_that_are_gone_are_found() -> None:
    records = {b"fresh": record(), b"gone": record(at=NOW - 4000), b"broken": b"{"}
    assert stale_workers(records, NOW, 3600) == [b"gone", b"broken"]


@pytest.mark.parametrize(
    ("capacity", "waiting", "wait_s"),
    [
        (Capacity(), 0, None),  # nobody is there, so that nothing is known
        (Capacity(1, 1, 0, 2.0), 0, 0.0),  # an idle child begins at once
        (Capacity(1, 2, 1, 2.0), 0, 0.0),
        (Capacity(1, 1, 1, 2.0), 0, 1.0),  # half of what is worked on
        (Capacity(1, 1, 1, 2.0), 4, 9.0),
        (Capacity(2, 4, 4, 2.0), 4, 3.0),
        (Capacity(1, 1, 0, 2.0), 1, 2.0),
    ],
)
def test_how_soon_a_challenge_that_comes_now_is_begun_and_answered(
    capacity: Capacity, waiting: int, wait_s: float | None
) -> None:
    assert capacity.wait_s(waiting) == wait_s
    assert capacity.expected_s(waiting) == (None if wait_s is None else wait_s + 2.0)
