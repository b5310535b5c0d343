"""Answers drawn into pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.wire.gsr import GsrFrame, GsrObject
from touchline_lab.evaluation.drawing import draw_frame, write_overlay

NO_POINTS = [(0.0, 0.0)] * 32


def changed(frame: GsrFrame) -> np.ndarray:
    """Where drawing changed a grey picture."""
    grey = np.full((200, 300, 3), 90, np.uint8)
    drawn = draw_frame(grey, frame)
    assert (grey == 90).all()
    return np.asarray((drawn != 90).any(axis=2))


def test_a_box_is_drawn_where_it_is() -> None:
    mask = changed(GsrFrame(7, NO_POINTS, [GsrObject(3, (100.0, 80.0, 140.0, 160.0), 2)]))
    assert mask[80, 100:141].all()
    assert mask[80:161, 140].all()
    assert not mask[85:155, 105:135].any()


def test_absent_keypoints_are_not_drawn() -> None:
    points = list(NO_POINTS)
    points[13] = (200.0, 150.0)
    mask = changed(GsrFrame(7, points, []))
    assert mask[150, 200]
    assert not mask[100:190, :190].any()


def test_lines_join_keypoints_that_are_there() -> None:
    points = list(NO_POINTS)
    points[13], points[14] = (200.0, 60.0), (200.0, 180.0)
    assert changed(GsrFrame(7, points, []))[60:180, 200].all()


@pytest.mark.parametrize(("wanted", "written"), [(4, 4), (100, 10)])
def test_the_overlay_has_the_first_frames(tmp_path: Path, wanted: int, written: int) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((192, 320, 3), 20 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video, picture = tmp_path / "overlay.mp4", tmp_path / "overlay.jpg"
    seen: list[tuple[int, int]] = []
    write_overlay(clip, {}, video, picture, count=wanted, width=160, progress=lambda *done: seen.append(done))
    assert seen[-1] == (written, written)
    assert picture.read_bytes()[:2] == b"\xff\xd8"
    with av.open(str(video)) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(160, 96)] * written
