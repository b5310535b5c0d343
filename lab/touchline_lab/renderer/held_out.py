"""Held-out scenes: nothing was tuned on them, so they show whether the eleven others give too good results.

Their matches, kits, light, grass and camera occur neither in training nor in the eleven scenes. If a constant
is ever changed because of a result on these scenes, they have to be replaced by others.
"""

from __future__ import annotations

from typing import Final

from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.seeds import HELD_OUT_SEEDS

__all__ = ["HELD_OUT"]

_FIRST: Final = HELD_OUT_SEEDS[0]

HELD_OUT: Final[tuple[SceneConditions, ...]] = (
    SceneConditions("high-camera", (_FIRST,), camera_position=(9.0, 41.0, 23.0)),
    SceneConditions("sweep", (_FIRST + 1,), pan=2.2, zoom=0.35),
    SceneConditions("dusk", (_FIRST + 2,), weather="dusk"),
    SceneConditions("downpour", (_FIRST + 3,), weather="downpour"),
    SceneConditions("strips", (_FIRST + 4,), kits="held-out"),
    SceneConditions("two-shots", (_FIRST + 5, _FIRST + 6), crowding=0.35, grass=(0.8, 1.0, 1.7)),
)
"""The six scenes that `touchline evaluate --set held-out` measures on."""
