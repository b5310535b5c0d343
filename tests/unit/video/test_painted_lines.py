"""Painted lines in drawn pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from services.results import PaintedLines
from services.video.letterbox import Letterbox
from services.video.painted_lines import painted_lines

BOX = Letterbox.fit(1280, 720, 640)
NOBODY = np.zeros((0, 4), np.float32)


def picture(ground: tuple[int, int, int], line: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """A line from left to right through the middle, RGB."""
    image = np.full((BOX.height, BOX.width, 3), ground, np.uint8)
    cv2.line(image, (0, 180), (639, 180), line, 3)
    return BOX.padded(image)


def on_line(lines: PaintedLines) -> npt.NDArray[np.bool_]:
    return lines.distances == 0


def test_a_bright_line_on_grass_is_found_where_it_is() -> None:
    lines = painted_lines(picture((60, 130, 50), (230, 230, 230)), BOX, NOBODY)
    assert lines.distances.shape == (270, 480)
    assert lines.scale == 480 / 1280
    rows = np.flatnonzero(on_line(lines)[:, 240])
    assert abs(rows.mean() - 135) <= 1
    # far from it the distance is counted in quarters of a pixel
    assert abs(lines.distances[155, 240] / PaintedLines.UNIT - (155 - rows.max())) < 1.5


def test_what_a_player_covers_is_no_line() -> None:
    player = np.array([[600, 300, 680, 420]], np.float32)
    lines = painted_lines(picture((60, 130, 50), (230, 230, 230)), BOX, player)
    assert not on_line(lines)[:, 230:250].any()
    assert on_line(lines)[:, 100].any()


def test_a_line_off_the_grass_is_none() -> None:
    lines = painted_lines(picture((60, 60, 160), (230, 230, 230)), BOX, NOBODY)
    assert not on_line(lines).any()
    assert lines.distances.min() > 200


def test_black_and_white_pictures_have_lines() -> None:
    lines = painted_lines(picture((90, 90, 90), (230, 230, 230)), BOX, NOBODY)
    assert on_line(lines).any()


def test_a_broad_stripe_and_a_short_one_are_no_lines() -> None:
    image = np.full((BOX.height, BOX.width, 3), (60, 130, 50), np.uint8)
    image[:, 100:180] = (66, 138, 56)  # mown
    cv2.line(image, (300, 250), (302, 250), (240, 240, 240), 2)  # a boot
    assert not on_line(painted_lines(BOX.padded(image), BOX, NOBODY)).any()
