"""The official score of a `soccer_action` answer.

Source: score-technologies/turbovision, facts as listed in docs/reference/wire.md. Actions of the answer, by
rising frame, each take the free true action of the same name, within its tolerance, whose decay is greatest,
and earn weight times decay; one that takes none costs its weight. The sum is divided by the weights of all
true actions and limited to 0 to 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.wire.private_track import ACTIONS, FPS, Action, ActionRule

__all__ = ["ActionScore", "Loss", "Timing", "action_score", "decay"]


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
class ActionScore:
    """The score of an answer.

    Attributes:
        total: The official number, 0 to 1; 0 for a clip without true actions.
        unlimited: The same before it is limited to 0 to 1.
        matched: Actions of the answer that took a true one.
        given: Actions of the answer with a known name.
        expected: True actions with a known name.
        losses: By action name.
        timings: Losses by timing: tenths of a second after the true action, negative before it.
    """

    total: float
    unlimited: float
    matched: int
    given: int
    expected: int
    losses: dict[str, Loss]
    timings: dict[int, Timing]

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
    # the difference of two times, as the official score computes it: its rounding decides at the tolerance
    seconds = abs(given / fps - true / fps)
    if seconds > rule.tolerance_s:
        return 0.0
    return 1 - (seconds / rule.tolerance_s) * (1 - rule.min_score)


def action_score(given: Sequence[Action], truth: Sequence[Action], fps: int = FPS) -> ActionScore:
    """Score an answer.

    Args:
        given: The actions of the answer; their confidence does not count.
        truth: The true actions, in the order of the ground truth, which decides between equally near ones.
        fps: Frames per second of the clip.
    """
    known = [action for action in truth if action.action in ACTIONS]
    answered = sorted((action for action in given if action.action in ACTIONS), key=lambda one: one.frame)
    free = [True] * len(known)
    earned = 0.0
    matched = 0
    lost: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    off: dict[int, list[float]] = defaultdict(list)
    for action in answered:
        rule = ACTIONS[action.action]
        best, chosen = 0.0, None
        for number, true in enumerate(known):
            if free[number] and true.action == action.action:
                share = decay(rule, action.frame, true.frame, fps)
                if share > best:
                    best, chosen = share, number
        if chosen is None:
            earned -= rule.weight
            lost[action.action][2] += rule.weight
            continue
        free[chosen] = False
        matched += 1
        earned += rule.weight * best
        lost[action.action][1] += rule.weight * (1.0 - best)
        off[round(10 * (action.frame - known[chosen].frame) / fps)].append(rule.weight * (1.0 - best))
    for number, true in enumerate(known):
        if free[number]:
            lost[true.action][0] += ACTIONS[true.action].weight
    possible = sum(ACTIONS[action.action].weight for action in known)
    unlimited = earned / possible if possible else 0.0
    losses = {
        name: Loss(*(part / possible if possible else 0.0 for part in parts)) for name, parts in lost.items()
    }
    timings = {tenths: Timing(len(parts), sum(parts) / possible) for tenths, parts in sorted(off.items())}
    total = min(1.0, max(0.0, unlimited))
    return ActionScore(total, unlimited, matched, len(answered), len(known), losses, timings)
