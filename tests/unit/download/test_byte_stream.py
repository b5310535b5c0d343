from __future__ import annotations

import threading

import pytest

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.byte_stream import FAR_AHEAD, ByteSpan, ByteStream
from services.errors import Cancelled, DeadlineExceeded, StreamStalled
from tests.support.processes import wait_for


def make(seconds: float = 20, **kwargs: object) -> tuple[ByteStream, CancelScope]:
    scope = CancelScope()
    return ByteStream(Deadline.after(seconds), scope, **kwargs), scope  # type: ignore[arg-type]


def test_read_waits_for_bytes_that_come_later() -> None:
    stream, _ = make()
    threading.Timer(0.05, stream.feed_body, [6, b"world"]).start()
    stream.feed_body(0, b"hello ")
    assert stream.read_at(0, 11) == b"hello world"


def test_read_at_the_end_is_short() -> None:
    stream, _ = make()
    stream.feed_body(0, b"abc")
    stream.finish()
    assert stream.read_at(1, 10) == b"bc"
    assert stream.read_at(5, 1) == b""
    assert stream.size == 3


def test_read_some_gives_what_there_is() -> None:
    stream, _ = make()
    stream.feed_body(0, b"abc")
    assert stream.read_some(1, 100) == b"bc"
    stream.finish()
    assert stream.read_some(3, 100) == b""


def test_a_read_far_ahead_wants_the_tail_until_it_comes() -> None:
    stream, _ = make(out_of_order=True)
    size = FAR_AHEAD * 4
    stream.set_size(size)
    stream.feed_body(0, b"x" * 100)
    assert stream.requested is None
    wanted: list[ByteSpan | None] = []

    def feed() -> None:
        wait_for(lambda: stream.requested is not None)
        wanted.append(stream.requested)
        stream.feed(size - 100, b"tail" * 25)

    threading.Thread(target=feed).start()
    assert stream.read_at(size - 100, 100) == b"tail" * 25
    assert wanted == [ByteSpan(size - 100, None)]
    assert stream.requested is None
    assert stream.read_at(size - 50, 50) == (b"tail" * 25)[50:]


def test_a_read_a_little_ahead_does_not() -> None:
    stream, _ = make(out_of_order=True)
    stream.set_size(1000)
    threading.Timer(0.05, stream.feed_body, [0, b"x" * 1000]).start()
    assert stream.read_at(900, 100) == b"x" * 100
    assert stream.requested is None


def test_without_a_tail_the_front_is_waited_for() -> None:
    stream, _ = make(out_of_order=True)
    size = FAR_AHEAD * 3
    stream.set_size(size)
    threading.Timer(0.05, stream.disable_out_of_order).start()
    threading.Timer(0.1, stream.feed_body, [0, b"y" * size]).start()
    assert stream.read_at(size - 5, 5) == b"y" * 5


def test_error_is_raised_only_where_bytes_are_missing() -> None:
    stream, _ = make()
    stream.feed_body(0, b"abc")
    stream.fail(StreamStalled("gone"))
    assert stream.read_at(0, 3) == b"abc"
    with pytest.raises(StreamStalled, match="gone"):
        stream.read_at(0, 4)


def test_cancel_and_deadline_end_a_wait() -> None:
    stream, scope = make()
    threading.Timer(0.05, scope.cancel).start()
    with pytest.raises(Cancelled):
        stream.read_at(0, 1)
    late, _ = make(seconds=0.05)
    with pytest.raises(DeadlineExceeded):
        late.read_at(0, 1)


def test_where_the_body_is_expected_does_not_say_where_its_bytes_belong() -> None:
    stream, _ = make()
    stream.feed_body(0, b"abc")
    stream.expect_body_at(1000)  # by a feeder that goes on elsewhere
    stream.feed_body(3, b"def")
    assert stream.read_at(0, 6) == b"abcdef"


def test_what_is_expected_is_waited_for_and_what_does_not_come_is_wanted() -> None:
    stream, _ = make(out_of_order=True)
    stream.set_size(1000)
    stream.expect(ByteSpan(0, 100))
    stream.expect_body_at(100)
    seen: list[ByteSpan | None] = []

    def feed() -> None:
        seen.append(stream.requested)
        stream.feed(50, b"b" * 50)
        stream.expect_no_more()
        wait_for(lambda: stream.requested is not None)
        seen.append(stream.requested)
        stream.feed(0, b"a" * 50)

    threading.Timer(0.05, feed).start()
    assert stream.read_at(0, 100) == b"a" * 50 + b"b" * 50
    assert seen == [None, ByteSpan(0, 50)]
    assert stream.requested is None


def test_an_expected_end_is_not_asked_for_again() -> None:
    stream, _ = make(out_of_order=True)
    size = FAR_AHEAD * 4
    stream.set_size(size)
    stream.expect_suffix(200)
    seen: list[ByteSpan | None] = []

    def feed() -> None:
        seen.append(stream.requested)
        stream.feed(size - 200, b"t" * 200)

    threading.Timer(0.05, feed).start()
    assert stream.read_at(size - 150, 10) == b"t" * 10
    assert seen == [None]


def test_gaps_are_named_and_close() -> None:
    stream, _ = make(out_of_order=True)
    stream.feed(10, b"b" * 10)
    stream.expect_body_at(30)
    stream.feed_body(30, b"c" * 10)
    stream.set_size(40)
    assert stream.missing() == ByteSpan(0, 10)
    stream.feed(0, b"a" * 10)
    assert stream.missing() == ByteSpan(20, 30)
    stream.feed(18, b"bb" + b"x" * 10 + b"cc")  # overlaps both neighbours
    assert stream.missing() == ByteSpan(40, 40)
    assert stream.read_at(0, 40) == b"a" * 10 + b"b" * 10 + b"x" * 10 + b"c" * 10


def test_released_bytes_are_gone_and_still_count_as_arrived() -> None:
    stream, _ = make()
    stream.feed_body(0, b"a" * 100)
    stream.release(60)
    assert stream.end_at(0) == 100
    assert stream.read_at(60, 40) == b"a" * 40
    with pytest.raises(ValueError, match="released"):
        stream.read_at(59, 1)
    stream.release(150)
    stream.feed_body(100, b"b" * 100)
    assert stream.end_at(0) == 200
    assert stream.read_at(150, 50) == b"b" * 50
    stream.feed(140, b"b" * 20)  # comes a second time, half of it too late
    stream.finish()
    assert (stream.size, stream.read_at(199, 9)) == (200, b"b")
