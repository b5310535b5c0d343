"""Plug-ins that other distributions bring by entry point: found by name, loaded when they are used.

Source: Python Packaging User Guide, "Entry points specification".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from services.errors import BrokenPlugin

CHALLENGES = "touchline.challenges"
PREDICTORS = "touchline.predictors"
BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class Plugin:
    """Something that has a name and can be loaded.

    Attributes:
        name: What settings and challenges call it.
        target: Where it lies, `module:attribute`.
        source: The distribution and its version, or `built in`.
    """

    name: str
    target: str
    source: str

    def load(self) -> Any:
        """Import it.

        Raises:
            BrokenPlugin: With the distribution, and what its import raised.
        """
        try:
            return metadata.EntryPoint(self.name, self.target, "touchline").load()
        except Exception as error:  # noqa: BLE001 - a plug-in's import may raise whatever it likes
            raise BrokenPlugin(
                f"plug-in {self.name!r} ({self.target}, {self.source}) cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error


def find(group: str, built_in: Mapping[str, str]) -> dict[str, Plugin]:
    """What a group holds, by name; nothing is imported.

    Args:
        group: `touchline.challenges` or `touchline.predictors`.
        built_in: Targets of our own, by name.

    Raises:
        BrokenPlugin: Two distributions, or one and this project, claim the same name.
    """
    found = {name: Plugin(name, target, BUILT_IN) for name, target in built_in.items()}
    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: (entry.name, entry.value)):
        plugin = Plugin(entry.name, entry.value, _source(entry))
        # a distribution may lie on the path twice, for instance as a source tree and installed
        if found.setdefault(entry.name, plugin) != plugin:
            raise BrokenPlugin(
                f"the name {entry.name!r} in the group {group} is taken twice: "
                f"by {found[entry.name].source} and by {plugin.source}; remove one of them"
            )
    return found


def _source(entry: metadata.EntryPoint) -> str:
    return "unknown distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
