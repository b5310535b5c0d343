"""The scenes of the evaluation: one match or several each, under conditions that training did not have."""

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
        name: Name of the scene in reports.
        seeds: Seed of the match of each shot; a cut leads from one to the next.
        seconds: Length of the whole clip in seconds; all shots are equally long.
        size: Width and height in pixels, both even.
        weather: Weather and light.
        kits: The set of kits; all but the ordinary set have colours that no training scene has.
        crowding: 0 is ordinary play; towards 1 people gather around the ball and hide each other.
        pan: How fast the camera turns after the ball, as a multiple of the ordinary speed.
        zoom: How far and how fast the camera zooms; 0 is ordinary, with 1 the field of view varies from a
            half to one and a half times the ordinary one.
        camera_position: Metres along the pitch from its middle, behind the touchline, and above the grass;
            None is ordinary.
        grass: Factors for the blue, green and red of the grass.
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
    camera_position: tuple[float, float, float] | None = None
    grass: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def key(self) -> str:
        """A short hash of all options except the name."""
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
"""The eleven scenes that `touchline evaluate` measures on."""


def shortened(conditions: SceneConditions, seconds: float) -> SceneConditions:
    """The same scene with another length."""
    return replace(conditions, seconds=seconds)
