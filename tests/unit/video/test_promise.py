"""Pictures are compared with the packets that they were decoded from."""

from __future__ import annotations

import pytest

from services.video.promise import IndexDisagrees, ShownOrder


def order_of(*numbers: int) -> ShownOrder:
    order = ShownOrder()
    for number in numbers:
        order.expect(number)
    return order


def test_pictures_that_come_by_rising_number_keep_the_promise() -> None:
    order = order_of(0, 4, 2, 1, 3)
    for number in range(5):
        order.came(number)
    order.ended()


def test_a_picture_too_early_breaks_it() -> None:
    order = order_of(0, 2, 1)
    order.came(0)
    with pytest.raises(IndexDisagrees, match="frame 2 is shown where frame 1 should be"):
        order.came(2)


def test_a_picture_twice_breaks_it() -> None:
    order = order_of(0)
    order.came(0)
    with pytest.raises(IndexDisagrees, match="frame 0 is shown where frame 0 should be"):
        order.came(0)


def test_a_packet_that_becomes_no_picture_breaks_it() -> None:
    order = order_of(0, 1)
    order.came(0)
    with pytest.raises(IndexDisagrees, match="frame 1 is not shown"):
        order.ended()


def test_after_damage_nothing_is_compared() -> None:
    order = order_of(0, 1, 2)
    order.forgive()
    order.came(2)
    order.ended()
