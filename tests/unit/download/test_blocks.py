from __future__ import annotations

import pytest

from services.byte_span import ByteSpan
from services.download.blocks import MAX_TOTAL, PIECE, Blocks


def taken(blocks: Blocks) -> list[ByteSpan]:
    spans = []
    while (span := blocks.take()) is not None:
        spans.append(span)
    return spans


@pytest.mark.parametrize("size", [1, PIECE, 2_000_000, 6_000_001])
@pytest.mark.parametrize("lines", [1, 3, 10])
def test_every_byte_is_handed_out_once_from_the_front(size: int, lines: int) -> None:
    blocks = Blocks(lines)
    blocks.end_at(size)
    spans = taken(blocks)
    assert spans[0].start == 0
    assert spans[-1].stop == size
    assert [span.stop for span in spans[:-1]] == [span.start for span in spans[1:]]
    assert not blocks.left


def test_blocks_fit_the_first_round_trip_then_grow_and_shrink_again() -> None:
    blocks = Blocks(10)
    first = [blocks.take() for _ in range(10)]
    assert all(span is not None and span.stop == span.start + PIECE for span in first)
    blocks.end_at(6_000_000)
    sizes = [(span.stop or 0) - span.start for span in taken(blocks)]
    assert max(sizes) == MAX_TOTAL // 10
    assert sizes[0] < MAX_TOTAL // 10
    assert sizes[-2] == PIECE


def test_a_long_way_has_larger_blocks() -> None:
    near, far = Blocks(10), Blocks(10)
    near.set_round_trip(0.04)
    far.set_round_trip(0.6)
    for blocks in (near, far):
        blocks.end_at(50_000_000)
    largest = [max((span.stop or 0) - span.start for span in taken(blocks)) for blocks in (near, far)]
    assert largest[0] == MAX_TOTAL // 10
    assert largest[1] > 2 * MAX_TOTAL // 10


def test_what_is_asked_for_ahead_does_not_grow_with_the_lines() -> None:
    for lines in (10, 24, 40):
        blocks = Blocks(lines)
        blocks.end_at(50_000_000)
        assert max((span.stop or 0) - span.start for span in taken(blocks)) == MAX_TOTAL // lines


def test_where_requests_cost_time_there_are_few() -> None:
    blocks = Blocks(10)
    blocks.end_at(6_000_000)
    few = [blocks.take() for _ in range(10)]
    assert all(few)
    blocks.widen()
    rest = taken(blocks)
    assert (rest[0].stop or 0) - rest[0].start > 500_000
    assert len(rest) < 50 < len(taken_anew(6_000_000))
    assert rest[-1].stop == 6_000_000


def taken_anew(size: int) -> list[ByteSpan]:
    blocks = Blocks(10)
    blocks.end_at(size)
    return taken(blocks)


def test_what_did_not_come_is_handed_out_next() -> None:
    blocks = Blocks(2)
    blocks.end_at(200_000)
    first, second = blocks.take(), blocks.take()
    assert first is not None
    assert second is not None
    blocks.put_back(ByteSpan(second.start + 100, second.stop))
    blocks.put_back(ByteSpan(first.stop or 0, first.stop))  # all of it had come
    blocks.put_back(ByteSpan(200_000, 300_000))  # was asked for before the end was known
    assert blocks.next_offset == second.start + 100
    rest = taken(blocks)
    assert rest[0] == ByteSpan(second.start + 100, second.stop)
    assert rest[-1].stop == 200_000


def test_only_what_is_needed_is_handed_out() -> None:
    blocks = Blocks(1)
    assert blocks.take() == ByteSpan(0, PIECE)
    blocks.restrict_to([ByteSpan(0, 10), ByteSpan(PIECE + 5, PIECE + 25), ByteSpan(900_000, None)])
    assert blocks.take() == ByteSpan(PIECE + 5, PIECE + 25)
    blocks.end_at(900_100)
    assert taken(blocks) == [ByteSpan(900_000, 900_100)]
    blocks.end_at(10)
    assert blocks.take() is None
    assert blocks.next_offset is None
