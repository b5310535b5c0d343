"""Distributions with entry points, made on the spot in a folder of their own on the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def make_distribution(
    folder: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]
) -> None:
    """Write what an installer would leave behind.

    Args:
        folder: A folder on `sys.path`.
        name: The distribution.
        entry_points: Targets by name, by group.
        modules: Source texts by module name.
    """
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = []
    for group, targets in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {target}" for key, target in targets.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
