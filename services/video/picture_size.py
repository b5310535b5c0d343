"""How large a picture may be: as it is coded, for that is what a decoder makes memory and time for."""

from __future__ import annotations

from typing import Final

from services.errors import TooLarge

MAX_CODING_UNIT: Final = 64
"""Pixels; coded sizes are multiples of at most this, and so somewhat larger than what is shown."""


def check_coded_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse pictures that are coded larger than allowed, whatever is cut off them before they are shown.

    Raises:
        TooLarge: They are.
    """
    minimum = (width - MAX_CODING_UNIT + 1) * (height - MAX_CODING_UNIT + 1)
    if min(width, height) >= MAX_CODING_UNIT and minimum > max_pixels:
        raise TooLarge(f"pictures coded as {width}x{height}; MAX_PIXELS allows {max_pixels}")
