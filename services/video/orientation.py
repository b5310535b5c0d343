"""How a stored picture is turned before it is shown; coordinates in an answer mean the picture that is shown.

OpenCV, through which answers are checked, shows quarter turns only: a matrix that mirrors, or turns by
another angle, is not applied beyond the quarter turn that it contains. The same is done here.

Source: ISO/IEC 14496-12, 8.3.2 (tkhd) and 8.2.2 (mvhd); FFmpeg, av_display_rotation_get.
"""

from __future__ import annotations

import math

Matrix = tuple[int, ...]
"""a, b, u, c, d, v, x, y, w as a track header has them; 16.16 fixed point."""


def quarter_turns(track: Matrix, movie: Matrix) -> int:
    """Clockwise quarter turns, 0 to 3, that the matrices of track and movie ask for together."""
    a, b, c, d = (
        sum(track[row + k] * movie[3 * k + column] for k in range(2)) for row in (0, 3) for column in (0, 1)
    )
    across, down = math.hypot(a, c), math.hypot(b, d)
    if not across or not down:
        return 0
    return turns_of_angle(math.degrees(math.atan2(b / down, a / across)))


def turns_of_angle(clockwise: float) -> int:
    """Clockwise quarter turns, 0 to 3; angles between the quarters are not applied."""
    angle = round(clockwise) % 360
    return angle // 90 if angle % 90 == 0 else 0


def shown_size(width: int, height: int, turns: int) -> tuple[int, int]:
    """Width and height of the picture as it is shown."""
    return (height, width) if turns % 2 else (width, height)
