"""A coarser frame plan when the deadline is near: decided before the work, never by a race."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.frame_plan import COARSER_MARK, FramePlan
from services.sampling.costs import Costs
from services.settings import Settings
from services.video.clip import Clip
from services.video.letterbox import Letterbox

CLASSES_S: Final = (0.5, 1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048)
"""Deadline classes: a challenge is planned as if it had exactly so many seconds."""
STATED_SHARE: Final = 0.8
"""The class has at most this share of the stated time: it is the same until a fifth of that has passed."""
BUDGET_SHARE: Final = 0.75
"""Of TIME_BUDGET_S; the rest is for the first bytes."""
COUNT: Final = 750
"""A clip whose length only the end tells is taken for as long as challenges are."""
STRIDES: Final = (1, 2, 4)
"""The steps, in multiples of FRAME_STRIDE; the last step is the profile `keyframes` at the widest of them."""


class MakesPlans(Protocol):
    """A challenge kind, as far as sampling knows it."""

    def plan(self, clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
        """Which frames are sampled, and at what size."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan, and the settings that it is made from.

    Attributes:
        plan: Which frames are sampled.
        box: At what size.
        settings: Those of the process, with a coarser FRAME_STRIDE or FRAME_PROFILE where that was chosen.
        coarser: Whether it was, because of the deadline.
    """

    plan: FramePlan
    box: Letterbox
    settings: Settings
    coarser: bool

    @property
    def name(self) -> str:
        """As the timeline says it."""
        return f"{self.plan} {COARSER_MARK}" if self.coarser else str(self.plan)


def available(stated_s: float, remaining_s: float, budget_s: float, reserve_s: float) -> float:
    """Seconds that a plan may take.

    Args:
        stated_s: From the challenge's submission to its deadline.
        remaining_s: Still left of them.
        budget_s: TIME_BUDGET_S; 0: none.
        reserve_s: Kept free for what comes after the last frame.
    """
    maximum = min(stated_s * STATED_SHARE, remaining_s)
    allowed = max((limit for limit in CLASSES_S if limit <= maximum), default=0.0) - reserve_s
    if budget_s:
        allowed = min(allowed, BUDGET_SHARE * budget_s)
    return max(0.0, allowed)


def choose(
    kind: MakesPlans, clip: Clip, settings: Settings, costs: Costs | None, available_s: float
) -> Choice:
    """The first of a few fixed steps that fits, or the cheapest where none does.

    Args:
        kind: Makes the plan of each step, from its settings.
        clip: The clip.
        settings: The profile that is wanted.
        costs: What frames cost; None takes the wanted profile.
        available_s: Seconds for it.

    Returns:
        A function of the arguments alone.
    """
    plan, box = kind.plan(clip, settings)
    wanted = Choice(plan, box, settings, False)
    if costs is None or _cost(wanted, clip, costs) <= available_s:
        return wanted
    steps = [wanted, *(_step(kind, clip, settings, wanted, step) for step in _coarser(settings))]
    for step in steps:
        if _cost(step, clip, costs) <= available_s:
            return step
    return min(steps, key=lambda step: _cost(step, clip, costs))


def _coarser(settings: Settings) -> list[dict[str, Any]]:
    widest = {"frame_profile": "keyframes", "frame_stride": settings.frame_stride * STRIDES[-1]}
    return [{"frame_stride": settings.frame_stride * times} for times in STRIDES[1:]] + [widest]


def _step(kind: MakesPlans, clip: Clip, settings: Settings, wanted: Choice, update: dict[str, Any]) -> Choice:
    changed = settings.model_copy(update=update)
    plan, box = kind.plan(clip, changed)
    # a kind may plan as it likes: what does not change is not called coarser
    return Choice(plan, box, changed, plan != wanted.plan)


def _cost(choice: Choice, clip: Clip, costs: Costs) -> float:
    plan = choice.plan
    sampled = plan.sampled_count or -(-COUNT // plan.stride)
    decoded = plan.decoded or clip.count or COUNT
    return costs.estimate(sampled, decoded, clip.width * clip.height)
