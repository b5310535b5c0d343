"""Held-out scenes: nothing was tuned on them, so they tell whether the eleven others flatter.

Their matches, kits, light, grass and camera are neither those of any match in the training nor those of the
eleven. Whoever changes a constant because of a number that these give has to put others in their place.
"""

from __future__ import annotations

from typing import Final

from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.seeds import HELD_OUT_SEEDS

__all__ = ["HELD_OUT"]

_FIRST: Final = HELD_OUT_SEEDS[0]

HELD_OUT: Final[tuple[SceneConditions, ...]] = (
    SceneConditions("stand", (_FIRST,), stand=(9.0, 41.0, 23.0)),
    SceneConditions("sweep", (_FIRST + 1,), pan=2.2, zoom=0.35),
    SceneConditions("dusk", (_FIRST + 2,), weather="dusk"),
    SceneConditions("downpour", (_FIRST + 3,), weather="downpour"),
    SceneConditions("strips", (_FIRST + 4,), kits="held-out"),
    SceneConditions("two-shots", (_FIRST + 5, _FIRST + 6), crowding=0.35, grass=(0.8, 1.0, 1.7)),
)
"""What `touchline evaluate --set held-out` measures on."""
