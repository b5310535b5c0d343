"""Which of several video tracks is the match: thumbnails, previews and empty tracks may stand before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_ABOUT_AS_LONG: Final = 0.5
"""A track with this share of the frames of the longest one is about as long: half the frame rate, or cut a
little shorter. Thumbnails and chapter pictures have far fewer."""


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What a file says about a video track.

    Attributes:
        enabled: Whether it is to be shown unless somebody chooses another one.
        frames: Frames in it; 0 where the file does not say.
        pixels: Width times height.
    """

    enabled: bool
    frames: int
    pixels: int


def main_track(tracks: Sequence[TrackFacts]) -> int:
    """The position of the track that a player shows: enabled, then longest, then largest, then first.

    A single picture is no match, enabled or not, if there is something longer.

    Args:
        tracks: At least one.
    """
    numbers = range(len(tracks))
    left = (
        [number for number in numbers if tracks[number].enabled and tracks[number].frames > 1]
        or [number for number in numbers if tracks[number].frames]
        or [number for number in numbers if tracks[number].enabled]
        or [*numbers]
    )
    longest = max(tracks[number].frames for number in left)
    left = [number for number in left if tracks[number].frames >= _ABOUT_AS_LONG * longest]
    return max(left, key=lambda number: tracks[number].pixels)
