from __future__ import annotations

import pytest

from services.wire.private_track import Action
from touchline_lab.evaluation.action_score import action_score

TRUTH = [Action(100, "pass"), Action(130, "pass_received"), Action(400, "ball_out_of_play")]
POSSIBLE = 1.0 + 1.4 + 2.9


def test_a_perfect_answer_scores_one_and_an_empty_one_nothing() -> None:
    score = action_score(TRUTH, TRUTH)
    assert (score.total, score.matched, score.precision, score.recall) == (pytest.approx(1.0), 3, 1.0, 1.0)
    empty = action_score([], TRUTH)
    assert (empty.total, empty.precision, empty.recall) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("given", "worth"),
    [
        ([Action(125, "pass")], 1.0),  # a second is within the tolerance
        ([Action(126, "pass")], -1.0),  # a little more is not
        ([Action(450, "ball_out_of_play")], 2.9),
        ([Action(100, "pass"), Action(101, "pass")], 1.0 - 1.0),  # one true action matches one of them
        ([Action(100, "goal")], -10.9),
        ([Action(100, "pass_received")], -1.4),
        ([Action(130, "pass_received"), Action(400, "shot")], 1.4 - 4.7),
    ],
)
def test_a_match_scores_its_weight_and_anything_else_costs_it(given: list[Action], worth: float) -> None:
    assert action_score(given, TRUTH).total == pytest.approx(worth / POSSIBLE)


def test_the_largest_number_of_matches_is_made() -> None:
    truth = [Action(100, "pass"), Action(120, "pass")]
    assert action_score([Action(110, "pass"), Action(80, "pass")], truth).matched == 2
    assert action_score([Action(76, "pass"), Action(124, "pass")], truth).matched == 2


def test_in_a_clip_without_actions_every_answered_action_costs() -> None:
    assert action_score([], []).total == 0.0
    assert action_score([Action(5, "tackle")], []).total == -2.5
