from __future__ import annotations

from services.pipeline.batching import TAIL_BATCH, BatchSchedule


def sizes(sampled_count: int | None, slots: int, batches: int = 12) -> list[int]:
    schedule = BatchSchedule(1, 16, sampled_count, slots)
    return [schedule.next() for _ in range(batches)]


def test_the_first_batch_is_small_and_the_next_ones_double() -> None:
    assert sizes(None, 1)[:6] == [1, 2, 4, 8, 16, 16]


def test_one_slot_keeps_full_batches_to_the_end() -> None:
    assert sizes(126, 1)[4:] == [16] * 8


def test_several_slots_share_out_the_end_of_a_clip() -> None:
    schedule = BatchSchedule(1, 16, 126, 2)
    found: list[int] = []
    while sum(found) < 126:
        found.append(schedule.next())
    assert max(found) == 16
    peak = len(found) - 1 - found[::-1].index(16)
    tail = found[peak:]
    assert tail == sorted(tail, reverse=True)
    assert tail[-1] == TAIL_BATCH


def test_sizes_are_those_that_runtimes_are_warmed_with() -> None:
    assert set(sizes(100, 3, 20)) <= {1, 2, 4, 8, 16}
