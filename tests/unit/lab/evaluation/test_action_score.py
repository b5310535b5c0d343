"""The official action score, against cases that were computed by hand."""

from __future__ import annotations

import random

import pytest

from services.wire.private_track import ACTIONS, Action
from touchline_lab.evaluation.action_score import Outcome, action_score, decay, shifted_scores

TRUTH = [Action(100, "pass"), Action(130, "pass_received"), Action(400, "ball_out_of_play")]
POSSIBLE = 1.0 + 1.4 + 2.9


def shifted(actions: list[Action], frames: int) -> list[Action]:
    return [Action(action.frame + frames, action.action) for action in actions]


def test_a_perfect_answer_scores_one_and_an_empty_one_nothing() -> None:
    score = action_score(TRUTH, TRUTH)
    assert (score.total, score.matched, score.precision, score.recall) == (pytest.approx(1.0), 3, 1.0, 1.0)
    empty = action_score([], TRUTH)
    assert (empty.total, empty.precision, empty.recall) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("given", "earned"),
    [
        ([Action(106, "pass")], 1.0 * (1 - 0.24)),
        ([Action(124, "pass")], 1.0 * (1 - 0.96)),
        ([Action(94, "pass")], 1.0 * (1 - 0.24)),  # early costs what late costs
        ([Action(450, "ball_out_of_play")], 2.9 * 0.5),  # at its tolerance it keeps its minimum
        ([Action(100, "pass"), Action(400, "ball_out_of_play")], 1.0 + 2.9),
        ([Action(130, "pass_received"), Action(130, "pass_received")], 1.4 - 1.4),
    ],
)
def test_an_action_earns_its_weight_times_its_decay(given: list[Action], earned: float) -> None:
    assert action_score(given, TRUTH).unlimited == pytest.approx(earned / POSSIBLE, abs=1e-12)


@pytest.mark.parametrize(
    "given",
    [
        [Action(125, "pass")],  # a decay of zero takes nothing
        [Action(126, "pass")],
        [Action(100, "goal")],
        [Action(451, "ball_out_of_play")],
    ],
)
def test_an_action_that_takes_nothing_costs_its_weight(given: list[Action]) -> None:
    score = action_score(given, TRUTH)
    assert score.unlimited == pytest.approx(-ACTIONS[given[0].action].weight / POSSIBLE)
    assert score.total == 0.0, "the official number is never negative"


def test_a_step_of_six_frames_costs_a_fifth_and_a_second_three_quarters() -> None:
    # every action once: 0.24 s and 0.96 s late, as measured with the official code
    truth = [Action(200 * number, name) for number, name in enumerate(ACTIONS, 1)]
    assert action_score(shifted(truth, 6), truth).total == pytest.approx(0.93, abs=0.03)
    passes = [Action(200 * number, name) for number, name in enumerate(("pass", "pass_received"), 1)]
    assert action_score(shifted(passes, 6), passes).total == pytest.approx(0.76)
    assert action_score(shifted(passes, 24), passes).total == pytest.approx(0.04)


def test_the_nearest_free_one_is_taken_and_the_first_of_two_as_near() -> None:
    truth = [Action(100, "shot"), Action(120, "shot")]
    assert action_score([Action(118, "shot")], truth).unlimited == pytest.approx(
        4.7 * decay(ACTIONS["shot"], 118, 120) / 9.4
    )
    # 110 is as near to both: the first takes 100, the second has to be content with 120
    both = action_score([Action(110, "shot"), Action(110, "shot")], truth)
    assert both.matched == 2
    assert both.unlimited == pytest.approx(2 * 4.7 * decay(ACTIONS["shot"], 110, 100) / 9.4)


def test_matching_is_greedy_by_frame_not_best_overall() -> None:
    truth = [Action(100, "pass"), Action(120, "pass")]
    # 104 takes 100; 106 is nearer to 100, which is taken
    score = action_score([Action(106, "pass"), Action(104, "pass")], truth)
    expected = decay(ACTIONS["pass"], 104, 100) + decay(ACTIONS["pass"], 106, 120)
    assert score.unlimited == pytest.approx(expected / 2)


def test_unknown_names_are_skipped_on_both_sides() -> None:
    assert action_score([*TRUTH, Action(1, "dance")], [*TRUTH, Action(5, "sing")]).total == pytest.approx(1.0)


def test_a_clip_without_actions_scores_nothing() -> None:
    assert action_score([], []).total == 0.0
    assert action_score([Action(5, "tackle")], []).total == 0.0


def test_losses_and_score_add_up_to_one() -> None:
    chance = random.Random(4)
    names = list(ACTIONS)
    for _ in range(300):
        truth = [Action(chance.randrange(750), chance.choice(names)) for _ in range(chance.randrange(1, 12))]
        given = [Action(chance.randrange(750), chance.choice(names)) for _ in range(chance.randrange(12))]
        given += shifted(chance.sample(truth, chance.randrange(len(truth) + 1)), chance.randrange(20))
        score = action_score(given, truth)
        lost = sum(loss.missed + loss.late + loss.wrong for loss in score.losses.values())
        assert score.unlimited + lost == pytest.approx(1.0)
        late = sum(loss.late for loss in score.losses.values())
        assert sum(timing.lost for timing in score.timings.values()) == pytest.approx(late)
        assert sum(timing.actions for timing in score.timings.values()) == score.matched
        assert 0.0 <= score.total <= 1.0
        assert score.total == action_score(sorted(given, key=lambda action: action.frame), truth).total


def test_what_became_of_every_action_is_told_by_rising_frame() -> None:
    given = [Action(390, "ball_out_of_play"), Action(106, "pass"), Action(700, "pass")]
    assert action_score(given, TRUTH).outcomes == (
        Outcome("pass", 106, 100, 0.24, pytest.approx(0.76), pytest.approx(0.24 / POSSIBLE)),
        Outcome("pass_received", None, 130, None, 0.0, pytest.approx(1.4 / POSSIBLE)),
        Outcome("ball_out_of_play", 390, 400, -0.4, pytest.approx(0.9), pytest.approx(0.29 / POSSIBLE)),
        Outcome("pass", 700, None, None, 0.0, pytest.approx(1.0 / POSSIBLE)),
    )


def test_an_answer_is_matched_anew_when_it_is_moved() -> None:
    # where it is, both passes are beyond the tolerance of a second; three tenths sooner they match
    truth = [Action(100, "pass"), Action(200, "pass")]
    given = [Action(130, "pass"), Action(230, "pass")]
    scores = {shift.seconds: shift.score for shift in shifted_scores(given, truth)}
    assert scores[0.0] == scores[0.5] == 0.0
    assert scores[-0.3] == pytest.approx(1 - 22 / 25)
    assert scores[-0.5] == pytest.approx(1 - 17 / 25)


def test_no_action_is_moved_before_the_clip() -> None:
    shifts = shifted_scores([Action(2, "goal")], [Action(0, "goal")])
    assert shifts[0].score == 1.0
    assert shifts[-1].score == pytest.approx(decay(ACTIONS["goal"], 15, 0))


def test_at_the_tolerance_the_difference_of_two_rounded_times_decides() -> None:
    """50 frames are 2 s, the tolerance of a shot; the official score subtracts two rounded times."""
    frames = range(750)
    over = [frame for frame in frames if (frame + 50) / 25 - frame / 25 > 2.0]
    within = [frame for frame in frames if (frame + 50) / 25 - frame / 25 <= 2.0]
    assert over, "there are frames at which rounding makes the difference too large"
    assert within
    for frame in over:
        assert action_score([Action(frame + 50, "shot")], [Action(frame, "shot")]).unlimited == -1.0
    for frame in within:
        assert action_score([Action(frame + 50, "shot")], [Action(frame, "shot")]).total == pytest.approx(0.5)


def test_losses_are_told_by_tenths_of_a_second() -> None:
    given = [Action(106, "pass"), Action(133, "pass_received"), Action(390, "ball_out_of_play")]
    timings = action_score(given, TRUTH).timings
    assert {tenths: timing.actions for tenths, timing in timings.items()} == {-4: 1, 1: 1, 2: 1}
    assert timings[2].lost == pytest.approx(0.24 / POSSIBLE)
    assert timings[-4].lost == pytest.approx(2.9 * 0.4 / 2.0 * 0.5 / POSSIBLE)
