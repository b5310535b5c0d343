from __future__ import annotations

import threading

import pytest

from services.cancel import CancelScope
from services.deadline import Deadline
from services.download.byte_stream import FAR_AHEAD, ByteStream
from services.errors import Cancelled, DeadlineExceeded, StreamStalled


def make(seconds: float = 20, **kwargs: object) -> tuple[ByteStream, CancelScope]:
    scope = CancelScope()
    return ByteStream(Deadline.after(seconds), scope, **kwargs), scope  # type: ignore[arg-type]


def test_read_waits_for_bytes_that_come_later() -> None:
    stream, _ = make()
    threading.Timer(0.05, stream.feed, [b"world"]).start()
    stream.feed(b"hello ")
    assert stream.read_at(0, 11) == b"hello world"
    assert stream.waited_s > 0


def test_read_at_the_end_is_short() -> None:
    stream, _ = make()
    stream.feed(b"abc")
    stream.finish()
    assert stream.read_at(1, 10) == b"bc"
    assert stream.read_at(5, 1) == b""
    assert stream.size == 3


def test_read_some_gives_what_there_is() -> None:
    stream, _ = make()
    stream.feed(b"abc")
    assert stream.read_some(1, 100) == b"bc"
    stream.finish()
    assert stream.read_some(3, 100) == b""


def test_a_read_far_ahead_wants_the_tail_until_it_comes() -> None:
    stream, _ = make(tail=True)
    size = FAR_AHEAD * 4
    stream.set_size(size)
    stream.feed(b"x" * 100)
    assert stream.tail_wanted is None
    wanted: list[int | None] = []

    def feed() -> None:
        wanted.append(stream.tail_wanted)
        stream.feed_tail(b"tail" * 25)

    threading.Timer(0.1, feed).start()
    assert stream.read_at(size - 100, 100) == b"tail" * 25
    assert wanted == [size - 100]
    assert stream.tail_wanted is None
    assert stream.read_at(size - 50, 50) == (b"tail" * 25)[50:]


def test_a_read_a_little_ahead_does_not() -> None:
    stream, _ = make(tail=True)
    stream.set_size(1000)
    threading.Timer(0.05, stream.feed, [b"x" * 1000]).start()
    assert stream.read_at(900, 100) == b"x" * 100
    assert stream.tail_wanted is None


def test_without_a_tail_the_front_is_waited_for() -> None:
    stream, _ = make(tail=True)
    size = FAR_AHEAD * 3
    stream.set_size(size)
    threading.Timer(0.05, stream.tail_unavailable).start()
    threading.Timer(0.1, stream.feed, [b"y" * size]).start()
    assert stream.read_at(size - 5, 5) == b"y" * 5


def test_error_is_raised_only_where_bytes_are_missing() -> None:
    stream, _ = make()
    stream.feed(b"abc")
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
