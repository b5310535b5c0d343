"""Play that is made up moment by moment: one moment every six frames, people in metres."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from services.challenges.pitch_positions import Moment
from services.challenges.soccer_rules import actions, holder
from services.wire.private_track import Action

STEP = 6
PEOPLE = {1: (40.0, 30.0), 2: (55.0, 30.0), 3: (70.0, 50.0)}


UNKNOWN = (-1, -1, -1)


def play(balls: Iterable[tuple[float, float] | None], teams: tuple[int, int, int] = UNKNOWN) -> list[Moment]:
    ids = np.array(list(PEOPLE), np.int64)
    feet = np.array(list(PEOPLE.values()))
    return [
        Moment(i * STEP, None if ball is None else np.array(ball), ids, feet, np.array(teams, np.int64))
        for i, ball in enumerate(balls)
    ]


def method(start: tuple[float, float], end: tuple[float, float], moments: int) -> list[tuple[float, float]]:
    shares = [(i + 1) / (moments + 1) for i in range(moments)]
    return [(start[0] + s * (end[0] - start[0]), start[1] + s * (end[1] - start[1])) for s in shares]


AT_1, AT_2, AT_3 = (40.5, 30.0), (54.5, 30.2), (69.6, 50.0)


def names(found: list[Action]) -> list[tuple[str, int]]:
    return [(action.action, action.frame) for action in found]


def test_a_pass_is_where_it_leaves_and_where_it_arrives() -> None:
    found = actions(play([AT_1] * 4 + method(AT_1, AT_2, 4) + [AT_2] * 4))
    assert [name for name, _ in names(found)] == ["pass", "pass_received"]
    assert found[0].frame == pytest.approx(3 * STEP, abs=STEP)
    assert found[1].frame == pytest.approx(8 * STEP, abs=STEP)
    assert all(0 < action.confidence < 1 for action in found)


@pytest.mark.parametrize(
    ("teams", "expected"),
    [
        ((0, 0, 1), ["pass", "pass_received"]),
        ((0, 1, 1), ["interception"]),
        ((0, -1, 1), ["pass", "pass_received"]),
    ],
)
def test_a_pass_to_an_opponent_is_an_interception(teams: tuple[int, int, int], expected: list[str]) -> None:
    found = actions(play([AT_1] * 4 + method(AT_1, AT_2, 4) + [AT_2] * 4, teams))
    assert [name for name, _ in names(found)] == expected


def at_one_spot(kept: int, teams: tuple[int, int]) -> list[Moment]:
    """Player 1 has the ball, then player 2 at the same place, for so many moments."""
    ids = np.array([1, 2], np.int64)
    near = [np.array([[40.0, 30.0], [42.0, 30.0]]), np.array([[42.0, 30.0], [40.0, 30.0]])]
    return [
        Moment(i * STEP, np.array([40.2, 30.0]), ids, near[i >= 4], np.array(teams, np.int64))
        for i in range(4 + kept)
    ]


@pytest.mark.parametrize(
    ("kept", "teams", "expected"),
    [(6, (0, 1), ["recovery"]), (3, (0, 1), []), (6, (0, 0), []), (6, (0, -1), [])],
)
def test_a_ball_that_an_opponent_takes_and_keeps_is_recovered(
    kept: int, teams: tuple[int, int], expected: list[str]
) -> None:
    assert [name for name, _ in names(actions(at_one_spot(kept, teams)))] == expected


def test_two_passes_in_a_row() -> None:
    balls = [AT_1] * 3 + method(AT_1, AT_2, 4) + [AT_2] * 3 + method(AT_2, AT_3, 5) + [AT_3] * 3
    assert [name for name, _ in names(actions(play(balls)))] == ["pass", "pass_received"] * 2


def test_a_ball_that_is_lost_from_sight_on_its_way_is_still_passed() -> None:
    balls = [AT_1] * 3 + [None] * 4 + [AT_2] * 3
    assert [name for name, _ in names(actions(play(balls)))] == ["pass", "pass_received"]


@pytest.mark.parametrize(
    "balls",
    [
        [AT_1] * 12,
        [None] * 12,
        [AT_1] * 4 + method(AT_1, AT_2, 30) + [AT_2] * 4,  # rolls for longer than a pass takes
        [AT_1] * 4 + method(AT_1, AT_2, 4) + [AT_2],  # touched in one moment only: perhaps it flew by
        [AT_1] + method(AT_1, AT_2, 4) + [AT_2] * 4,
        [AT_1] * 4
        + method(AT_1, (47.0, 30.0), 3)
        + method((47.0, 30.0), AT_1, 3)
        + [AT_1] * 4,  # back to himself
    ],
)
def test_what_is_no_pass(balls: list[tuple[float, float] | None]) -> None:
    assert actions(play(balls)) == []


def test_a_ball_that_changes_feet_at_one_spot_is_no_pass() -> None:
    moments = at_one_spot(4, (-1, -1))
    assert {holder(moment) for moment in moments} == {1, 2}
    assert actions(moments) == []


def test_a_contested_ball_has_no_holder() -> None:
    feet = np.array([[40.0, 30.0], [40.9, 30.0]])
    assert holder(Moment(0, np.array([40.4, 30.0]), np.array([1, 2]), feet, np.array([-1, -1]))) is None
    assert holder(Moment(0, np.array([40.0, 30.0]), np.array([1, 2]), feet, np.array([-1, -1]))) == 1
    assert holder(Moment(0, np.array([50.0, 30.0]), np.array([1, 2]), feet, np.array([-1, -1]))) is None


def test_a_ball_that_stays_behind_a_line_is_out_once() -> None:
    out = [(50.0, y) for y in (12.0, 6.0, 2.0, -1.5, -3.0, -3.0, -3.0, -3.0, -3.0, -3.0)]
    (found,) = actions(play(out))
    assert found.action == "ball_out_of_play"
    assert found.frame == pytest.approx(3 * STEP, abs=STEP)


@pytest.mark.parametrize(
    "balls",
    [
        [(50.0, y) for y in (6.0, 2.0, -2.0, -4.0, -2.0, 2.0, 6.0)],  # a high ball over the far line
        [(50.0, y) for y in (3.0, 0.2, -0.6, -0.6, -0.6, -0.6, -0.6, -0.6)],  # within a camera's error
        [(50.0, -3.0)] * 10,  # it was never seen inside
        [(50.0, 8.0), *[None] * 6, *[(50.0, -3.0)] * 8],  # nobody saw where it went out, nor when
    ],
)
def test_what_is_not_out(balls: list[tuple[float, float] | None]) -> None:
    assert actions(play(balls)) == []
