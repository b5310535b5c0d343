"""What an evaluated scene is like: one match or several, under conditions that training did not have."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import msgspec

from touchline_lab.renderer.seeds import EVALUATION_SEEDS

__all__ = ["SCENES", "SceneConditions", "shortened"]

_FIRST: Final = EVALUATION_SEEDS[0]


@dataclass(frozen=True, slots=True)
class SceneConditions:
    """The options of a rendered scene.

    Attributes:
        name: What reports call it.
        seeds: One match per shot; the picture cuts from one to the next.
        seconds: Length of the whole clip, shared out evenly among the shots.
        size: Width and height in pixels, both even.
        weather: The colours of the picture.
        kits: The wardrobe; all but the ordinary one have colours that no training scene has.
        crowding: 0 is ordinary play; towards 1 people gather around the ball and cover each other.
        pan: How fast the camera turns after the ball; 1 is ordinary.
        zoom: How far and fast it zooms; 0 is ordinary, 1 from half to one and a half times the angle.
        stand: Where the camera stands: metres along the pitch from its middle, behind the line, and above the
            grass; None is ordinary.
        grass: Gain of the grass in blue, green and red.
    """

    name: str
    seeds: tuple[int, ...]
    seconds: float = 6.0
    size: tuple[int, int] = (1280, 720)
    weather: Literal["day", "night", "rain", "dusk", "downpour"] = "day"
    kits: Literal["ordinary", "other", "held-out"] = "ordinary"
    crowding: float = 0.0
    pan: float = 1.0
    zoom: float = 0.0
    stand: tuple[float, float, float] | None = None
    grass: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def key(self) -> str:
        """A short hash of the options, the name apart."""
        return hashlib.sha256(msgspec.json.encode(asdict(replace(self, name="")))).hexdigest()[:10]


SCENES: Final[tuple[SceneConditions, ...]] = (
    SceneConditions("day", (_FIRST,)),
    SceneConditions("day-2", (_FIRST + 1,)),
    SceneConditions("pan", (_FIRST + 2,), pan=3.0),
    SceneConditions("zoom", (_FIRST + 3,), zoom=0.6),
    SceneConditions("cuts", (_FIRST + 4, _FIRST + 5, _FIRST + 6), seconds=7.2),
    SceneConditions("crowd", (_FIRST + 7,), crowding=0.6),
    SceneConditions("night", (_FIRST + 8,), weather="night"),
    SceneConditions("rain", (_FIRST + 9,), weather="rain"),
    SceneConditions("kits", (_FIRST + 10,), kits="other"),
    SceneConditions("540p", (_FIRST + 11,), size=(960, 540)),
    SceneConditions("1080p", (_FIRST + 12,), size=(1920, 1080)),
)
"""What `touchline evaluate` measures on."""


def shortened(conditions: SceneConditions, seconds: float) -> SceneConditions:
    """The same scene, cut to another length."""
    return replace(conditions, seconds=seconds)
