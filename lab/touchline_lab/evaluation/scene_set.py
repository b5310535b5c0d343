"""The sets of rendered scenes, apart from the renderer: the command line names them without loading it."""

from __future__ import annotations

from enum import StrEnum


class SceneSet(StrEnum):
    """Which rendered scenes."""

    ELEVEN = "eleven"
    HELD_OUT = "held-out"
