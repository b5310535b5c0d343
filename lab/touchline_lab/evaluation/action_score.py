"""What the actions of a `soccer_action` answer are worth, after the public description.

Every true action is worth its weight when an action of its name lies within its tolerance, each matching one
at most; every action of the answer that matches none costs its weight. The sum is given as a share of what
there was to be had. The description leaves open how matches are chosen; here as many as can be are made.
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
        total: 1 for a perfect answer, 0 for an empty one, less for one that says too much.
        matched: Actions that match.
        given: Actions of the answer.
        expected: True actions.
    """

    total: float
    matched: int
    given: int
    expected: int

    @property
    def precision(self) -> float:
        """Share of what was given that matches; 1 where nothing was given."""
        return self.matched / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        """Share of what was expected that is matched; 1 where nothing was expected."""
        return self.matched / self.expected if self.expected else 1.0


def action_score(given: Sequence[Action], truth: Sequence[Action], fps: int = FPS) -> ActionScore:
    """Score an answer.

    Args:
        given: The actions of an answer.
        truth: The true actions; their confidence does not count.
        fps: Frames per second of the clip.
    """
    matched, worth = 0, 0.0
    for name, rule in ACTIONS.items():
        mine = sorted(action.frame for action in given if action.action == name)
        true = sorted(action.frame for action in truth if action.action == name)
        hits = _matches(mine, true, rule.tolerance_s * fps)
        matched += hits
        worth += rule.weight * (hits - (len(mine) - hits))
    possible = sum(ACTIONS[action.action].weight for action in truth)
    return ActionScore(worth / possible if possible else worth, matched, len(given), len(truth))


def _matches(given: Sequence[int], truth: Sequence[int], tolerance: float) -> int:
    """The most pairs; in one dimension, taking the earliest that fits is best."""
    at, found = 0, 0
    for frame in truth:
        while at < len(given) and given[at] < frame - tolerance:
            at += 1
        if at < len(given) and given[at] <= frame + tolerance:
            at += 1
            found += 1
    return found
