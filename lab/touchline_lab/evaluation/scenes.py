"""The rendered scenes that answers are evaluated on: chosen by name, rendered once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from services.cli.console import Progressing
from touchline_lab.evaluation.run import Material
from touchline_lab.evaluation.scene_set import SceneSet
from touchline_lab.renderer.conditions import SCENES, SceneConditions, shortened
from touchline_lab.renderer.held_out import HELD_OUT
from touchline_lab.renderer.scene_clip import stored_scene


def choose_scenes(
    names: str, seconds: float | None, scene_set: SceneSet = SceneSet.ELEVEN
) -> list[SceneConditions]:
    """The conditions of the scenes that are asked for.

    Args:
        names: `all`, or names separated by commas.
        seconds: Another length than the scenes have, in seconds; None keeps it.
        scene_set: The set that the names belong to.

    Raises:
        ValueError: The set has no scene of that name.
    """
    known = {
        conditions.name: conditions for conditions in (SCENES if scene_set is SceneSet.ELEVEN else HELD_OUT)
    }
    wanted = list(known) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise ValueError(f"{names!r} is neither all nor a list of {', '.join(known)}")
    return [known[name] if seconds is None else shortened(known[name], seconds) for name in wanted]


def rendered_scenes(conditions: list[SceneConditions], cache: Path) -> Iterator[Material]:
    """The clips of scenes, one at a time; each is rendered at its first use and then kept in `cache`."""
    for scene in conditions:
        with Progressing(f"rendering {scene.name} (once)") as progress:
            path, known = stored_scene(cache, scene, progress=progress)
        yield Material(scene.name, path.read_bytes(), known.truth, known.ids)
