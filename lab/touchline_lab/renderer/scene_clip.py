"""Renders the clip of a scene of the evaluation with its ground truth, once, and keeps it on disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec

from touchline_lab.renderer import variants, weather
from touchline_lab.renderer.clip import FrameTruth, GroundTruth
from touchline_lab.renderer.clip_store import render_once, renderer_key
from touchline_lab.renderer.conditions import SceneConditions
from touchline_lab.renderer.encoding import ClipEncoder, Planes, planes_of, processes_for
from touchline_lab.renderer.variants import VariantScene

__all__ = ["SceneTruth", "render_scene", "shot_starts", "stored_scene"]

FPS: Final = 25
"""Frames per second."""
ID_STEP: Final = 100
"""Ids of shot n begin at n times this: a person has another id on the other side of a cut."""

Painted = tuple[Planes, FrameTruth, list[int]]


class SceneTruth(msgspec.Struct, frozen=True):
    """The ground truth of a scene.

    Attributes:
        truth: Boxes, keypoints and homography of every frame.
        ids: The id of each box, frame by frame in the order of the boxes.
        cuts: First frame of the second and of each later shot.
    """

    truth: GroundTruth
    ids: list[list[int]]
    cuts: list[int]


def shot_starts(conditions: SceneConditions) -> list[int]:
    """The first frame of every shot."""
    count = round(conditions.seconds * FPS)
    return [round(count * shot / len(conditions.seeds)) for shot in range(len(conditions.seeds))]


class _Painter:
    """Renders the frames of one scene in any ascending order."""

    def __init__(self, conditions: SceneConditions) -> None:
        cv2.setNumThreads(1)
        self._conditions = conditions
        self._starts = shot_starts(conditions)
        self._shot = -1
        self._scene: VariantScene

    def paint(self, index: int) -> Painted:
        shot = sum(start <= index for start in self._starts) - 1
        if shot != self._shot:
            self._shot, self._scene = shot, VariantScene(self._conditions, self._conditions.seeds[shot], FPS)
        self._scene.advance(index - self._starts[shot])
        rendered = self._scene.render()
        ids = [shot * ID_STEP + who for who in self._scene.ids]
        return planes_of(rendered.image), FrameTruth.of(rendered), ids


_painter: _Painter | None = None
"""The painter of this process, if it is one of several that render a clip."""


def _start_painter(conditions: SceneConditions) -> None:
    global _painter
    _painter = _Painter(conditions)


def _paint(index: int) -> Painted:
    assert _painter is not None
    return _painter.paint(index)


def _painted(conditions: SceneConditions, count: int, processes: int) -> Iterator[Painted]:
    if processes <= 1:
        yield from map(_Painter(conditions).paint, range(count))
        return
    with multiprocessing.get_context("spawn").Pool(processes, _start_painter, (conditions,)) as pool:
        yield from pool.imap(_paint, range(count))  # handed out in ascending order


def render_scene(
    path: Path,
    conditions: SceneConditions,
    *,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> SceneTruth:
    """Render a scene into an H.264 MP4 file, encoded like the ordinary clips.

    Args:
        path: The file to write.
        conditions: The scene.
        progress: Called after every frame with the number of frames done and in all.
        processes: Number of processes that render; by default one per core, and one for a short clip.
    """
    count = round(conditions.seconds * FPS)
    if processes is None:
        processes = processes_for(count)
    frames: list[FrameTruth] = []
    ids: list[list[int]] = []
    with ClipEncoder(os.fspath(path), conditions.size, FPS) as encoder:
        for index, (planes, truth, who) in enumerate(_painted(conditions, count, processes)):
            encoder.add(planes)
            frames.append(truth)
            ids.append(who)
            if progress is not None:
                progress(index + 1, count)
    width, height = conditions.size
    known = GroundTruth(seed=conditions.seeds[0], fps=FPS, width=width, height=height, frames=frames)
    return SceneTruth(known, ids, shot_starts(conditions)[1:])


def stored_scene(
    folder: Path, conditions: SceneConditions, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Path, SceneTruth]:
    """Take the clip of a scene and its ground truth from a folder; render them if they are not there.

    Args:
        folder: Folder of the clips; it is made if it is missing.
        conditions: The scene.
        progress: As for `render_scene`; not called if the clip is there.
    """
    path = folder / f"scene-{conditions.name}-{conditions.key}-{_key()}.mp4"

    def render(clip_file: Path, truth_file: Path) -> None:
        truth_file.write_bytes(msgspec.json.encode(render_scene(clip_file, conditions, progress=progress)))

    truth_file = render_once(path, render)
    return path, msgspec.json.decode(truth_file.read_bytes(), type=SceneTruth)


def _key() -> str:
    """A short hash of everything that decides what a scene looks like."""
    digest = hashlib.sha256(renderer_key().encode())
    for module in (variants, weather):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]
