"""Which of several video tracks is the match."""

from __future__ import annotations

import pytest

from services.video.tracks import TrackFacts, main_track

MATCH = TrackFacts(True, 750, 1920 * 1080)


@pytest.mark.parametrize(
    ("others", "place"),
    [
        ([TrackFacts(True, 1, 3840 * 2160)], 1),
        ([TrackFacts(True, 0, 3840 * 2160)], 1),
        ([TrackFacts(False, 750, 3840 * 2160)], 1),
        ([TrackFacts(True, 751, 640 * 360)], 1),
        ([TrackFacts(True, 375, 640 * 360)], 1),
        ([TrackFacts(True, 30, 3840 * 2160)], 1),
        ([MATCH], 0),
        ([TrackFacts(True, 750, 3840 * 2160)], 0),
    ],
)
def test_enabled_then_longest_then_largest_then_first(others: list[TrackFacts], place: int) -> None:
    assert main_track([*others, MATCH]) == place


@pytest.mark.parametrize(
    ("tracks", "place"),
    [
        ([TrackFacts(False, 0, 100), TrackFacts(True, 0, 50)], 1),
        ([TrackFacts(False, 0, 50), TrackFacts(False, 0, 100)], 1),
        ([TrackFacts(True, 1, 100), TrackFacts(False, 30, 50)], 1),
        ([TrackFacts(True, 1, 100)], 0),
    ],
)
def test_also_where_little_is_known(tracks: list[TrackFacts], place: int) -> None:
    assert main_track(tracks) == place
