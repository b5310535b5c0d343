"""The clip of the benchmark: one rendering, with its index at the front and at the end of the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import av

from touchline_lab.renderer.clip_store import stored_clip
from touchline_lab.renderer.seeds import DEMO_SEED, TEST_SEED

FRONT, LAST = "front.mp4", "last.mp4"
"""File names of the clip with its index at the front and at the end."""


def prepare(folder: Path, *, short: bool) -> None:
    """Write both files into a folder; `short` takes the clip of four seconds instead of that of thirty."""
    cache = Path(".cache") / "clips"
    clip = stored_clip(cache, TEST_SEED, 4.0) if short else stored_clip(cache, DEMO_SEED, 30.0)
    for name, flags in ((FRONT, {"movflags": "+faststart"}), (LAST, {})):
        remux(clip.path, folder / name, flags)


def remux(source: Path, target: Path, options: dict[str, str]) -> None:
    """Copy the packets of a video into another MP4 file; `options` are those of FFmpeg's muxer."""
    fresh = target.with_suffix(".part.mp4")
    with av.open(str(source)) as old, av.open(str(fresh), "w", options=options) as new:
        track = old.streams.video[0]
        copy = new.add_stream_from_template(track)
        for packet in old.demux(track):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    shutil.move(fresh, target)
