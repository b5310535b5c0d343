"""The official score of a `soccer_action` answer.

Source: score-technologies/turbovision, facts as listed in docs/reference/wire.md. Actions of the answer, by
rising frame, each take the free true action of the same name, within its tolerance, whose decay is greatest,
and earn weight times decay; one that takes none costs its weight. The sum is divided by the weights of all
true actions and limited to 0 to 1.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.wire.private_track import ACTIONS, FPS, Action, ActionRule

__all__ = ["ActionScore", "Loss", "Outcome", "Shift", "Timing", "action_score", "decay", "shifted_scores"]

SHIFTS: Final = tuple(range(-5, 6))
"""Tenths of a second by which a whole answer is moved to see what its timing costs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action of the answer, or of a true action that nothing took.

    Attributes:
        action: Its name.
        given: Frame of the answer, None for a missed action.
        true: Frame of the true action, None for a wrong action.
        late_s: Seconds from the true action to the answer's, negative before it; None unless both are there.
        share: Share of the weight that was earned, 0 to 1.
        lost: What it cost of the score before that is limited.
    """

    action: str
    given: int | None
    true: int | None
    late_s: float | None
    share: float
    lost: float


@dataclass(frozen=True, slots=True)
class Loss:
    """Where the score of one action name went; parts of the total before it is limited.

    Attributes:
        missed: Lost by true actions that nothing took.
        late: Lost by actions that were taken, but not at their own moment.
        wrong: Lost by actions of the answer that took nothing.
    """

    missed: float = 0.0
    late: float = 0.0
    wrong: float = 0.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The matched actions that are off by the same tenths of a second.

    Attributes:
        actions: How many.
        lost: What they lost of the score by it.
    """

    actions: int = 0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Shift:
    """The score if every action of the answer came sooner or later by the same time.

    Attributes:
        seconds: The time; positive: later.
        frames: The same in whole frames, by which the actions were moved.
        score: The official number that this would give, 0 to 1.
        unlimited: The same before it is limited to 0 to 1.
    """

    seconds: float
    frames: int
    score: float
    unlimited: float


@dataclass(frozen=True, slots=True)
class ActionScore:
    """The score of an answer.

    Attributes:
        total: The official number, 0 to 1; 0 for a clip without true actions.
        unlimited: The same before it is limited to 0 to 1.
        matched: Actions of the answer that took a true one.
        given: Actions of the answer with a known name.
        expected: True actions with a known name.
        outcomes: All of them, by rising frame; their losses and `unlimited` add up to 1 if there are true
            actions.
        reason: Why the answer counts as a time-out, or empty.
        skipped: Names of the answer that are not names of actions; validators skip such actions.
    """

    total: float
    unlimited: float
    matched: int
    given: int
    expected: int
    outcomes: tuple[Outcome, ...]
    reason: str = ""
    skipped: tuple[str, ...] = ()

    @property
    def losses(self) -> dict[str, Loss]:
        """Losses by action name."""
        lost: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for one in self.outcomes:
            lost[one.action][0 if one.given is None else 1 if one.true is not None else 2] += one.lost
        return {name: Loss(*parts) for name, parts in lost.items()}

    @property
    def timings(self) -> dict[int, Timing]:
        """Losses by timing: tenths of a second after the true action, negative before it."""
        off: dict[int, list[float]] = defaultdict(list)
        for one in self.outcomes:
            if one.late_s is not None:
                off[round(10 * one.late_s)].append(one.lost)
        return {tenths: Timing(len(parts), sum(parts)) for tenths, parts in sorted(off.items())}

    @property
    def precision(self) -> float:
        """The share of the answer's actions that took a true one; 1 if it has none."""
        return self.matched / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        """The share of true actions that were taken; 1 if there are none."""
        return self.matched / self.expected if self.expected else 1.0


def decay(rule: ActionRule, given: int, true: int, fps: int = FPS) -> float:
    """What share of its weight an action earns; 0 beyond the tolerance.

    Args:
        rule: The action's rule.
        given: Frame of the answer.
        true: Frame of the true action.
        fps: Frames per second of the clip.
    """
    return _decay(rule, given / fps, true / fps)


def _decay(rule: ActionRule, given_s: float, true_s: float) -> float:
    # the difference of two times, as the official score computes it: its rounding decides at the tolerance
    seconds = abs(given_s - true_s)
    if seconds > rule.tolerance_s:
        return 0.0
    return 1 - (seconds / rule.tolerance_s) * (1 - rule.min_score)


def action_score(given: Iterable[Action], truth: Iterable[Action], fps: int = FPS) -> ActionScore:
    """Score an answer.

    Args:
        given: The actions of the answer; their confidence does not count.
        truth: The true actions, in the order of the ground truth, which decides between equally near ones.
        fps: Frames per second of the clip.

    Raises:
        OverflowError: A frame number is beyond every float.
    """
    given = list(given)
    known = [action for action in truth if action.action in ACTIONS]
    skipped = tuple(sorted({action.action for action in given if action.action not in ACTIONS}))
    answered = sorted((action for action in given if action.action in ACTIONS), key=lambda one: one.frame)
    possible = sum(ACTIONS[action.action].weight for action in known)
    free = [True] * len(known)
    outcomes: list[Outcome] = []
    earned = 0.0
    for action in answered:
        rule = ACTIONS[action.action]
        chosen, share = _nearest(action, known, free, fps)
        if chosen is None:
            earned -= rule.weight
            outcomes.append(
                Outcome(action.action, action.frame, None, None, 0.0, _part(rule.weight, possible))
            )
            continue
        free[chosen] = False
        earned += rule.weight * share
        true = known[chosen].frame
        lost = _part(rule.weight * (1.0 - share), possible)
        late_s = (action.frame - true) / fps
        outcomes.append(Outcome(action.action, action.frame, true, late_s, share, lost))
    matched = sum(one.true is not None for one in outcomes)
    for number, missed in enumerate(known):
        if free[number]:
            lost = _part(ACTIONS[missed.action].weight, possible)
            outcomes.append(Outcome(missed.action, None, missed.frame, None, 0.0, lost))
    outcomes.sort(key=_moment)
    unlimited = _part(earned, possible)
    total = min(1.0, max(0.0, unlimited))
    counts = matched, len(answered), len(known)
    return ActionScore(total, unlimited, *counts, tuple(outcomes), skipped=skipped)


def shifted_scores(given: Sequence[Action], truth: Sequence[Action], fps: int = FPS) -> list[Shift]:
    """The scores of an answer that comes half a second sooner to half a second later, by tenths.

    A move is rounded to whole frames, and no action is moved before frame 0. The answer is matched anew each
    time, so that these scores show whether its actions are late or early as a whole.
    """
    found = []
    for tenths in SHIFTS:
        frames = int(math.copysign(math.floor(abs(tenths) * fps / 10 + 0.5), tenths))
        moved = [Action(max(0, one.frame + frames), one.action) for one in given]
        score = action_score(moved, truth, fps)
        found.append(Shift(tenths / 10, frames, score.total, score.unlimited))
    return found


def _nearest(
    action: Action, known: Sequence[Action], free: Sequence[bool], fps: int
) -> tuple[int | None, float]:
    """The free true action with the greatest decay above 0, the first of several, and that decay."""
    best, chosen = 0.0, None
    rule, seconds = ACTIONS[action.action], action.frame / fps
    for number, true in enumerate(known):
        if free[number] and true.action == action.action:
            share = _decay(rule, seconds, true.frame / fps)
            if share > best:
                best, chosen = share, number
    return chosen, best


def _moment(outcome: Outcome) -> int:
    frame = outcome.given if outcome.true is None else outcome.true
    return 0 if frame is None else frame


def _part(points: float, possible: float) -> float:
    return points / possible if possible else 0.0
