"""The second ball pass: where it searches, and what it makes of what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from services.results import Detections, FrameResult, LumaPicture
from services.tracking.ball.second_pass import SecondBallPass
from services.tracking.camera.homography import PictureSize

SIZE = PictureSize(1280, 720)
SCALE = 2.0
Floats = npt.NDArray[np.float64]
Places = dict[int, tuple[float, float]]


class FindsAt:
    """Finds a ball where it is, if it lies within a crop of 192 x 128 source pixels."""

    def __init__(self, places: Places, score: float = 0.9, false: Places | None = None) -> None:
        self.places, self.score, self.false = places, score, false or {}
        self.asked: list[tuple[int, float, float]] = []

    def find(self, asks: Sequence[tuple[LumaPicture, Floats]]) -> list[npt.NDArray[np.float32]]:
        return [self._near(picture, position) for picture, position in asks]

    def _near(self, picture: LumaPicture, position: Floats) -> npt.NDArray[np.float32]:
        self.asked.append((picture.index, float(position[0]), float(position[1])))
        rows = []
        for balls, score in ((self.places, self.score), (self.false, 0.6)):
            x, y = balls.get(picture.index, (-1e6, -1e6))
            if abs(x - position[0]) <= 96 and abs(y - position[1]) <= 64:
                rows.append([x - 6, y - 6, x + 6, y + 6, score])
        return np.array(sorted(rows, key=lambda row: -row[4]), np.float32).reshape(-1, 5)


def sampled(
    index: int, between: Sequence[int] = (), ball: tuple[float, float] | None = None, score: float = 0.9
) -> FrameResult:
    """A sampled frame: the detector has found a person and, perhaps, a ball or a ball candidate."""
    person = np.array([[600, 300, 640, 400]], np.float32)
    found = np.zeros((0, 4), np.float32)
    if ball is not None:
        # as coarse as a detector is
        found = np.array([[ball[0] - 9, ball[1] - 9, ball[0] + 9, ball[1] + 9]], np.float32)
    sure = found[: int(score >= 0.35)]
    ball_candidates = found[len(sure) :]

    def balls(boxes: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        return np.full(len(boxes), score, np.float32), np.zeros(len(boxes), np.int64)

    scores, classes = balls(sure)
    luma_pictures = tuple(
        LumaPicture(number, np.full((360, 640), 90, np.uint8), SCALE) for number in (*between, index)
    )
    return FrameResult(
        index,
        Detections(
            np.concatenate([person, sure]),
            np.append(np.float32(0.8), scores),
            np.append(np.int64(2), classes),
        ),
        None,
        luma_pictures=luma_pictures,
        ball_candidates=Detections(ball_candidates, *balls(ball_candidates)),
    )


def middles(result: FrameResult) -> list[tuple[float, float]]:
    boxes = result.detections.boxes[result.detections.classes == 0].astype(np.float64)
    return [(float(x), float(y)) for x, y in (boxes[:, :2] + boxes[:, 2:]) / 2]


def test_a_sampled_frame_gets_the_ball_of_the_ball_network_and_keeps_its_people() -> None:
    found = SecondBallPass(FindsAt({0: (303.0, 204.0)}), SIZE).add(sampled(0, ball=(310.0, 200.0)))
    assert middles(found) == [(303.0, 204.0)]
    assert found.detections.classes.tolist() == [2, 0]
    assert found.detections.scores.tolist() == pytest.approx([0.8, 0.9])
    assert found.luma_pictures == ()
    assert found.ball_candidates is None


def test_a_candidate_becomes_a_ball_and_a_ball_that_is_none_is_dropped() -> None:
    candidate = SecondBallPass(FindsAt({0: (303.0, 204.0)}), SIZE).add(
        sampled(0, ball=(310.0, 200.0), score=0.1)
    )
    assert middles(candidate) == [(303.0, 204.0)]
    wrong = SecondBallPass(FindsAt({}), SIZE).add(sampled(0, ball=(310.0, 200.0)))
    assert middles(wrong) == []
    assert wrong.detections.classes.tolist() == [2]


def test_between_two_sightings_the_ball_is_searched_on_the_line_between_them() -> None:
    places = {0: (300.0, 200.0), 2: (330.0, 240.0), 4: (345.0, 215.0), 6: (360.0, 200.0)}
    finder = FindsAt(places)
    search = SecondBallPass(finder, SIZE)
    search.add(sampled(0, ball=places[0]))
    finder.asked.clear()
    found = search.add(sampled(6, (2, 4), ball=places[6]))
    assert finder.asked[-2:] == [(2, 320.0, 200.0), (4, 340.0, 200.0)]
    assert [one.index for one in found.intermediate] == [2, 4]
    assert [middles(one) for one in found.intermediate] == [[places[2]], [places[4]]]
    assert all(one.keypoints is None and one.thumbnail is not None for one in found.intermediate)


def test_a_ball_that_the_detector_misses_is_followed_and_found_in_the_sampled_framed() -> None:
    places = {
        index: (300.0 + 20 * index, 200.0) for index in range(0, 19, 2)
    }  # 120 pixels from one sampled frame to the next
    search = SecondBallPass(FindsAt(places), SIZE)
    search.add(sampled(0, ball=places[0]))
    for index in (6, 12, 18):
        found = search.add(sampled(index, (index - 4, index - 2)))
        assert middles(found) == [places[index]]
        assert [middles(one) for one in found.intermediate] == [[places[index - 4]], [places[index - 2]]]


def test_a_ball_that_appears_is_followed_backwards() -> None:
    places = {index: (300.0 + 20 * index, 200.0) for index in range(0, 7, 2)}
    found = SecondBallPass(FindsAt(places), SIZE).add(sampled(6, (2, 4), ball=places[6]))
    assert [middles(one) for one in found.intermediate] == [[places[2]], [places[4]]]


def test_of_several_balls_the_likely_pair_says_where_to_search_between() -> None:
    places = {0: (300.0, 200.0), 2: (310.0, 200.0), 4: (320.0, 200.0), 6: (330.0, 200.0)}
    finder = FindsAt(places, score=0.7, false={6: (300.0, 260.0)})
    search = SecondBallPass(finder, SIZE)
    search.add(sampled(0, ball=places[0]))
    finder.asked.clear()
    found = search.add(sampled(6, (2, 4), ball=(315.0, 220.0)))
    assert sorted(middles(found)) == [(300.0, 260.0), (330.0, 200.0)], (
        "both are given; the selection of the sequence chooses"
    )
    assert finder.asked[-2:] == [(2, 310.0, 200.0), (4, 320.0, 200.0)]


def test_nothing_anywhere_and_nothing_remembered_for_too_long() -> None:
    finder = FindsAt({0: (300.0, 200.0)})
    search = SecondBallPass(finder, SIZE)
    search.add(sampled(0, ball=(300.0, 200.0)))
    lost = search.add(sampled(6, (2, 4)))
    assert middles(lost) == []
    assert [middles(one) for one in lost.intermediate] == [[], []]
    finder.asked.clear()
    search.add(sampled(60, (56, 58)))
    assert finder.asked == []


def test_without_luma_pictures_everything_stays_but_the_candidates() -> None:
    given = replace(sampled(0, ball=(310.0, 200.0)), luma_pictures=())
    found = SecondBallPass(FindsAt({0: (300.0, 200.0)}), SIZE).add(given)
    assert middles(found) == [(310.0, 200.0)]
    assert found.ball_candidates is None
    assert found.intermediate == ()


def test_balls_of_the_fine_ball_detector_are_not_searched_again() -> None:
    finder = FindsAt({0: (303.0, 204.0)})
    given = replace(sampled(0, ball=(310.0, 200.0)), ball_candidates=None)
    found = SecondBallPass(finder, SIZE).add(given)
    assert finder.asked == []
    assert middles(found) == [(310.0, 200.0)]
