"""What an evaluated scene is like: one match or several, under conditions that training did not have."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import msgspec

from touchline_lab.renderer.seeds import EVALUATION_SEEDS

__all__ = ["SCENES", "Look", "short"]

_FIRST: Final = EVALUATION_SEEDS[0]


@dataclass(frozen=True, slots=True)
class Look:
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


SCENES: Final[tuple[Look, ...]] = (
    Look("day", (_FIRST,)),
    Look("day-2", (_FIRST + 1,)),
    Look("pan", (_FIRST + 2,), pan=3.0),
    Look("zoom", (_FIRST + 3,), zoom=0.6),
    Look("cuts", (_FIRST + 4, _FIRST + 5, _FIRST + 6), seconds=7.2),
    Look("crowd", (_FIRST + 7,), crowding=0.6),
    Look("night", (_FIRST + 8,), weather="night"),
    Look("rain", (_FIRST + 9,), weather="rain"),
    Look("kits", (_FIRST + 10,), kits="other"),
    Look("540p", (_FIRST + 11,), size=(960, 540)),
    Look("1080p", (_FIRST + 12,), size=(1920, 1080)),
)
"""What `touchline evaluate` measures on."""


def short(look: Look, seconds: float) -> Look:
    """The same scene, cut to another length."""
    return replace(look, seconds=seconds)
