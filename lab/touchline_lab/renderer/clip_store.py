"""Keeps rendered clips on disk: each seed is rendered once, and again only when the renderer has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from services import pitch
from services.files import complete_or_absent, locked
from touchline_lab.renderer import camera, clip, encoding, figures, match, scene, stadium
from touchline_lab.renderer.clip import GroundTruth, render_clip

__all__ = ["StoredClip", "render_once", "renderer_key", "stored_clip"]

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
    index = "-faststart" if faststart else ""
    path = folder / f"clip-{seed}-{seconds:g}s{index}-{renderer_key()}.mp4"

    def render(clip_file: Path, truth_file: Path) -> None:
        render_clip(
            clip_file, seed, seconds, faststart=faststart, progress=progress, processes=processes
        ).save(truth_file)

    return StoredClip(path, GroundTruth.load(render_once(path, render)))


def render_once(path: Path, render: Callable[[Path, Path], None]) -> Path:
    """Render a clip with its ground truth, unless both files exist; processes wait for each other.

    Args:
        path: The MP4 file. The ground truth lies beside it, with the suffix `.json`.
        render: Writes clip and ground truth to the paths that it is given.

    Returns:
        The file of the ground truth.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    truth = path.with_suffix(".json")
    with locked(path.with_name(f".{path.name}.lock")):
        if not (path.is_file() and truth.is_file()):
            # the ground truth takes its place first, so that no clip is without one
            with complete_or_absent(path) as clip_file, complete_or_absent(truth) as truth_file:
                render(clip_file, truth_file)
    return truth
