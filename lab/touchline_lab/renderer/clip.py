"""Renders a football clip into an MP4 file, together with the exact ground truth of every frame.

    python -m touchline_lab.renderer.clip OUT.mp4 --seed 2031 --seconds 30 [--faststart]

writes OUT.mp4 and OUT.json. The same seed gives the same bytes on the same machine, whatever the number of
processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import cv2
import msgspec

from touchline_lab.renderer.encoding import ClipEncoder, Planes, planes_of, processes_for
from touchline_lab.renderer.scene import Box, Rendered, Scene
from touchline_lab.renderer.seeds import DEMO_SEED, TEST_SEED

__all__ = ["DEMO_SEED", "TEST_SEED", "FrameTruth", "GroundTruth", "render_clip"]


class FrameTruth(msgspec.Struct, frozen=True):
    """The ground truth of one frame, in source pixels.

    Attributes:
        boxes: The visible objects, each as class_id, x1, y1, x2, y2.
        keypoints: The 32 keypoints; 0, 0 for one that is out of the picture.
        homography: The map from pitch centimetres to pixels, three rows of three.
    """

    boxes: list[Box]
    keypoints: list[tuple[float, float]]
    homography: list[tuple[float, float, float]]

    @classmethod
    def of(cls, rendered: Rendered) -> Self:
        """The ground truth of a rendered frame, rounded: the file need not be larger than it is exact."""
        return cls(
            boxes=[
                (class_id, round(x1, 1), round(y1, 1), round(x2, 1), round(y2, 1))
                for class_id, x1, y1, x2, y2 in rendered.boxes
            ],
            keypoints=[(round(float(x), 2), round(float(y), 2)) for x, y in rendered.keypoints],
            homography=[(_short(a), _short(b), _short(c)) for a, b, c in rendered.homography],
        )


class GroundTruth(msgspec.Struct, frozen=True):
    """The ground truth of a clip.

    Attributes:
        seed: Seed of the match.
        fps: Frames per second.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        frames: The ground truth of every frame; ``frames[i]`` is frame number i.
    """

    seed: int
    fps: int
    width: int
    height: int
    frames: list[FrameTruth]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as compact JSON."""
        Path(path).write_bytes(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GroundTruth:
        """Read what `save` wrote."""
        return msgspec.json.decode(Path(path).read_bytes(), type=cls)


class _Painter:
    """Renders the frames of one clip in any ascending order."""

    def __init__(self, seed: int, size: tuple[int, int], fps: int) -> None:
        cv2.setNumThreads(1)
        self._scene = Scene(seed, size, fps)

    def paint(self, index: int) -> tuple[Planes, FrameTruth]:
        """Frame ``index`` as I420 planes, shape (height * 3 / 2, width), and its truth."""
        self._scene.advance(index)
        rendered = self._scene.render()
        return planes_of(rendered.image), FrameTruth.of(rendered)


def _short(number: float) -> float:
    """Round to nine significant digits, which are all that matter."""
    return float(f"{number:.9g}")


_painter: _Painter | None = None
"""The painter of this process, if it is one of several that render a clip."""


def _start_painter(seed: int, size: tuple[int, int], fps: int) -> None:
    global _painter
    _painter = _Painter(seed, size, fps)


def _paint(index: int) -> tuple[Planes, FrameTruth]:
    assert _painter is not None
    return _painter.paint(index)


def _painted(
    seed: int, count: int, size: tuple[int, int], fps: int, processes: int
) -> Iterator[tuple[Planes, FrameTruth]]:
    """All frames in order, from one or several processes."""
    if processes <= 1:
        painter = _Painter(seed, size, fps)
        yield from map(painter.paint, range(count))
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _start_painter, (seed, size, fps)) as pool:
        yield from pool.imap(_paint, range(count))  # handed out in ascending order


def render_clip(
    out_path: str | os.PathLike[str],
    seed: int,
    seconds: float,
    fps: int = 25,
    size: tuple[int, int] = (1280, 720),
    faststart: bool = False,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> GroundTruth:
    """Render a clip into an H.264 MP4 file.

    With more than one process, call it from under ``if __name__ == "__main__"`` or from an imported module:
    the processes are spawned.

    Args:
        out_path: The file to write, ending in ``.mp4``.
        seed: Determines everything in the picture.
        seconds: Length of the clip.
        fps: Frames per second.
        size: Width and height in pixels, both even. The pictures always repeat; the bytes of the file do
            for 1280 x 720, while libx264 does not code very small pictures the same way twice.
        faststart: Put the index (``moov``) at the front instead of at the end.
        progress: Called after every frame with the number of frames done and in all.
        processes: Number of processes that render; by default one per core, and one for a short clip.

    Returns:
        The ground truth of every frame.
    """
    count = round(seconds * fps)
    if processes is None:
        processes = processes_for(count)
    frames: list[FrameTruth] = []
    with ClipEncoder(os.fspath(out_path), size, fps, faststart=faststart) as encoder:
        for index, (planes, truth) in enumerate(_painted(seed, count, size, fps, processes)):
            encoder.add(planes)
            frames.append(truth)
            if progress is not None:
                progress(index + 1, count)
    width, height = size
    return GroundTruth(seed=seed, fps=fps, width=width, height=height, frames=frames)


def _report(done: int, total: int) -> None:
    if done % 25 == 0 or done == total:
        sys.stderr.write(f"\r{done} / {total} frames")
        sys.stderr.write("\n" if done == total else "")


def main() -> None:
    """Render a clip from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m touchline_lab.renderer.clip", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "out", type=Path, help="the .mp4 file to write; the ground truth is written beside it as .json"
    )
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--faststart", action="store_true", help="put the index at the front of the file")
    parser.add_argument("--processes", type=int)
    options = parser.parse_args()
    truth = render_clip(
        options.out,
        options.seed,
        options.seconds,
        faststart=options.faststart,
        progress=_report,
        processes=options.processes,
    )
    truth.save(options.out.with_suffix(".json"))


if __name__ == "__main__":
    main()
