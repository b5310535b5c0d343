"""Scores the actions of a `soccer_action` answer, following the public description.

Every true action scores its weight if an action of the same name lies within its tolerance; each action of
the answer matches one true action at most. Every action of the answer without a match costs its weight. The
sum is divided by the largest possible one. The description does not define how matches are chosen; here the
largest possible number of matches is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.wire.private_track import ACTIONS, FPS, Action

__all__ = ["ActionScore", "action_score"]


@dataclass(frozen=True, slots=True)
class ActionScore:
    """The score of an answer.

    Attributes:
        total: 1 for a perfect answer, 0 for an empty one, negative if wrong actions cost more than right ones
            score.
        matched: Number of actions of the answer with a match.
        given: Number of actions of the answer.
        expected: Number of true actions.
    """

    total: float
    matched: int
    given: int
    expected: int

    @property
    def precision(self) -> float:
        """The share of the answer's actions that match; 1 if it has none."""
        return self.matched / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        """The share of true actions that are matched; 1 if there are none."""
        return self.matched / self.expected if self.expected else 1.0


def action_score(given: Sequence[Action], truth: Sequence[Action], fps: int = FPS) -> ActionScore:
    """Score an answer.

    Args:
        given: The actions of the answer.
        truth: The true actions; their confidence is ignored.
        fps: Frames per second of the clip.
    """
    matched, worth = 0, 0.0
    for name, rule in ACTIONS.items():
        answered = sorted(action.frame for action in given if action.action == name)
        true = sorted(action.frame for action in truth if action.action == name)
        hits = _matches(answered, true, rule.tolerance_s * fps)
        matched += hits
        worth += rule.weight * (hits - (len(answered) - hits))
    possible = sum(ACTIONS[action.action].weight for action in truth)
    return ActionScore(worth / possible if possible else worth, matched, len(given), len(truth))


def _matches(given: Sequence[int], truth: Sequence[int], tolerance: float) -> int:
    """The largest number of pairs; in one dimension, always taking the earliest that fits achieves it."""
    at, found = 0, 0
    for frame in truth:
        while at < len(given) and given[at] < frame - tolerance:
            at += 1
        if at < len(given) and given[at] <= frame + tolerance:
            at += 1
            found += 1
    return found
