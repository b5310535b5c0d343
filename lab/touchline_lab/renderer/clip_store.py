"""Keeps rendered clips on disk: each seed is rendered once, and again only when the renderer has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from services import pitch
from touchline_lab.renderer import camera, clip, encoding, figures, match, scene, stadium
from touchline_lab.renderer.clip import GroundTruth, render_clip

__all__ = ["StoredClip", "renderer_key", "stored_clip"]

RENDERER_MODULES: Final = (camera, clip, encoding, figures, match, pitch, scene, stadium)
"""Modules whose source decides what a clip looks like."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip and its ground truth.

    Attributes:
        path: The MP4 file.
        truth: Its ground truth.
    """

    path: Path
    truth: GroundTruth


def renderer_key() -> str:
    """A short hash of everything that decides what is rendered from a seed."""
    digest = hashlib.sha256(av.__version__.encode())
    for module in RENDERER_MODULES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]


def stored_clip(
    folder: Path,
    seed: int,
    seconds: float,
    *,
    faststart: bool = False,
    progress: Progress | None = None,
    processes: int | None = None,
) -> StoredClip:
    """Take a clip from a folder; render it if it is not there.

    Args:
        folder: Folder of the clips; it is made if it is missing.
        seed: As for `render_clip`.
        seconds: As for `render_clip`.
        faststart: As for `render_clip`.
        progress: As for `render_clip`; not called if the clip is there.
        processes: As for `render_clip`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = "-faststart" if faststart else ""
    path = folder / f"clip-{seed}-{seconds:g}s{index}-{renderer_key()}.mp4"
    notes = path.with_suffix(".json")
    if path.is_file() and notes.is_file():
        return StoredClip(path, GroundTruth.load(notes))
    # two processes may render the same clip: each writes its own files and renames them when they are whole
    fresh = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        truth = render_clip(fresh, seed, seconds, faststart=faststart, progress=progress, processes=processes)
        truth.save(fresh.with_suffix(".json"))
        fresh.with_suffix(".json").replace(notes)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
        fresh.with_suffix(".json").unlink(missing_ok=True)
    return StoredClip(path, truth)
