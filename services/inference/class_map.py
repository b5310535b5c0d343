"""From a detector's own class names to the wire's ids."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from services.errors import ModelNotReady
from services.settings.constants import DETECTED_CLASSES

log = logging.getLogger(__name__)

WIRE_NAMES = DETECTED_CLASSES[:4]
"""Names of the wire's classes, by their ids."""
BALL, GOALKEEPER, PLAYER, REFEREE = range(4)
SYNONYMS = {
    "ball": BALL,
    "sports ball": BALL,
    "soccer ball": BALL,
    "football": BALL,
    "goalkeeper": GOALKEEPER,
    "goal keeper": GOALKEEPER,
    "keeper": GOALKEEPER,
    "goalie": GOALKEEPER,
    "gk": GOALKEEPER,
    "goalkeeper team left": GOALKEEPER,
    "goalkeeper team right": GOALKEEPER,
    "goalkeepers team left": GOALKEEPER,
    "goalkeepers team right": GOALKEEPER,
    "player": PLAYER,
    "players": PLAYER,
    "person": PLAYER,
    "pedestrian": PLAYER,
    "people": PLAYER,
    "footballer": PLAYER,
    "soccer player": PLAYER,
    "outfield player": PLAYER,
    "player team left": PLAYER,
    "player team right": PLAYER,
    "referee": REFEREE,
    "referees": REFEREE,
    "ref": REFEREE,
    "main referee": REFEREE,
    "side referee": REFEREE,
    "assistant referee": REFEREE,
    "linesman": REFEREE,
}
"""Names that models of football and of everyday things use, in lower case, words apart by one space."""
SHOWN = 12
"""A model of everyday things has eighty names: messages show the first of them."""


def map_classes(names: Mapping[int, str], given: Iterable[str] = ()) -> dict[int, int]:
    """Map a detector's classes to the wire's ids; those that mean nothing to the wire are left out.

    Args:
        names: The model's class names by its own ids.
        given: `name=class` of the setting CLASS_MAP; wins over what the names say.

    Returns:
        The wire's id of each of the model's ids that has one.

    Raises:
        ModelNotReady: No class is a player, or CLASS_MAP names a class that the model does not have.
    """
    ids = {name: wire for wire, name in enumerate(WIRE_NAMES)}
    pairs = [item.rpartition("=") for item in given]
    overrides = {_plain(name): ids.get(wanted.strip()) for name, _, wanted in pairs}
    own_names = {_plain(name) for name in names.values()}
    unknown = [name for name in overrides if name not in own_names]
    if unknown:
        raise ModelNotReady(
            f"CLASS_MAP names {', '.join(map(repr, unknown))}, the detector's classes are {listed(names)}"
        )
    found = {}
    for own, name in names.items():
        plain = _plain(name)
        wire = overrides[plain] if plain in overrides else SYNONYMS.get(plain)
        if wire is not None:
            found[own] = wire
    if PLAYER not in found.values():
        raise ModelNotReady(
            f"the detector has no class of players: its classes are {listed(names)}; expected are "
            f"{', '.join(WIRE_NAMES)} or names like person, sports ball, keeper, main referee; "
            "CLASS_MAP=name=player,... says what others are"
        )
    absent = [name for wire, name in enumerate(WIRE_NAMES) if wire not in found.values()]
    if absent:
        log.warning("the detector has no class for: %s; %s", ", ".join(absent), _consequence(names, found))
    return found


def only_balls(names: Mapping[int, str]) -> bool:
    """Whether every class of a model is a ball by its name."""
    return all(SYNONYMS.get(_plain(name)) == BALL for name in names.values())


def map_ball(names: Mapping[int, str]) -> dict[int, int]:
    """The classes of a model for the ball alone that are balls; its only class is one, whatever its name.

    Raises:
        ModelNotReady: It has several classes, and none is a ball.
    """
    found = {own: BALL for own, name in names.items() if SYNONYMS.get(_plain(name)) == BALL}
    if not found and len(names) != 1:
        raise ModelNotReady(
            f"BALL_MODEL has no class of balls: its classes are {listed(names)}; expected is ball, "
            "or one class alone"
        )
    return found or dict.fromkeys(names, BALL)


def listed(names: Mapping[int, str]) -> str:
    """Class names for a message."""
    shown = [repr(name) for name in list(names.values())[:SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _consequence(names: Mapping[int, str], found: Mapping[int, int]) -> str:
    players = sorted({names[own] for own, wire in found.items() if wire == PLAYER})
    return f"none will be answered, and all of {', '.join(players)} are players"


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
