import numpy as np
import pytest

from touchline_lab.evaluation.identity import FrameTracks, Hota, hota, idf1


def frame(**lefts: float) -> FrameTracks:
    """Boxes of 10 x 10 at the given left edges; `a1` is id 1."""
    ids = np.array([int(name[1:]) for name in lefts], np.int64)
    return ids, np.array([[x, 0, x + 10, 10] for x in lefts.values()], np.float64).reshape(-1, 4)


ONE = [frame(a1=0)] * 4


def test_renamed_true_tracks_are_perfect() -> None:
    truth = [frame(a1=0, a2=50), frame(a1=1), frame(a2=52)]
    renamed = [frame(a9=50, a7=0), frame(a7=1), frame(a9=52)]
    assert idf1(renamed, truth) == 1.0
    assert hota(renamed, truth) == Hota(1.0, 1.0, 1.0)


def test_a_track_in_two_halves_counts_half() -> None:
    given = [frame(a1=0), frame(a1=0), frame(a2=0), frame(a2=0)]
    # two frames of four are of the one identity that counts: 2 * 2 / (4 + 4)
    assert idf1(given, ONE) == pytest.approx(0.5)
    # each of the four has 2 frames together out of 4 that either has
    assert hota(given, ONE).association == pytest.approx(0.5)
    assert hota(given, ONE).detection == pytest.approx(1.0)
    assert hota(given, ONE).hota == pytest.approx(0.5**0.5)


def test_two_people_who_swap_ids_half_way_through() -> None:
    truth = [frame(a1=0, a2=50)] * 4
    given = [frame(a1=0, a2=50)] * 2 + [frame(a2=0, a1=50)] * 2
    assert idf1(given, truth) == pytest.approx(0.5)
    # each of the 8: 2 frames together of 4 + 4 - 2
    assert hota(given, truth).association == pytest.approx(1 / 3)


def test_a_missed_frame_and_a_false_track_both_count() -> None:
    given = [frame(a1=0), frame(a1=0), frame(a1=0), frame(a5=80)]
    assert idf1(given, ONE) == pytest.approx(2 * 3 / (4 + 4))
    # 3 right of 3 + 1 missed + 1 invented; together in 3 of 4 frames
    assert hota(given, ONE).detection == pytest.approx(3 / 5)
    assert hota(given, ONE).association == pytest.approx(3 / 4)


def test_boxes_count_at_thresholds_up_to_their_overlap() -> None:
    given = [frame(a1=2.5)] * 4  # overlap 7.5 / 12.5 = 0.6: twelve of the nineteen thresholds
    assert idf1(given, ONE) == 1.0
    assert hota(given, ONE).hota == pytest.approx(12 / 19)
    assert idf1([frame(a1=4)] * 4, ONE) == 0.0  # overlap 6 / 14


def test_pairing_prefers_tracks_that_agree_over_the_clip() -> None:
    # in the last frame a stranger overlaps a little more than the track of the first three
    truth = [frame(a1=0)] * 4
    given = [frame(a1=1)] * 3 + [frame(a1=1, a2=0.5)]
    found = hota(given, truth)
    low = [4 / 5, 1.0]  # detection, association at thresholds up to the overlap of 9 / 11
    share = sum(alpha <= 9 / 11 for alpha in np.arange(1, 20) / 20) / 19
    assert found.detection == pytest.approx(low[0] * share)
    assert found.association == pytest.approx(low[1] * share)


def test_a_clip_without_people_is_perfect_only_without_tracks() -> None:
    nothing = [frame()] * 3
    assert idf1(nothing, nothing) == 1.0
    assert hota(nothing, nothing).hota == 1.0
    assert idf1([frame(a1=0)] * 3, nothing) == 0.0
    assert hota(nothing, ONE[:3]).hota == 0.0
