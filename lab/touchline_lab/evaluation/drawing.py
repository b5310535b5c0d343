"""Draws an answer into its clip: boxes with ids, keypoints with numbers, and the lines between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from services.pitch import CLASS_NAMES, SEGMENTS
from services.wire.gsr import GsrFrame

__all__ = ["draw_frame", "write_overlay"]

Image = npt.NDArray[np.uint8]

_COLOURS: Final = ((40, 220, 255), (60, 60, 255), (255, 170, 40), (60, 230, 90))
"""Colour of boxes by class, BGR: ball, goalkeeper, player, referee."""
_PITCH: Final = (255, 80, 255)
"""Colour of keypoints and lines, BGR."""
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def draw_frame(image: Image, frame: GsrFrame) -> Image:
    """Draw one frame's answer into a copy of its picture.

    Args:
        image: Shape (height, width, 3), BGR, in source pixels; it is not changed.
        frame: The answer of that frame.

    Returns:
        The copy.
    """
    canvas = image.copy()
    points = [(round(x), round(y)) for x, y in frame.keypoints]
    present = [x != 0 or y != 0 for x, y in frame.keypoints]
    for first, second in SEGMENTS:
        if present[first] and present[second]:
            cv2.line(canvas, points[first], points[second], _PITCH, 1, cv2.LINE_AA)
    for number, (point, here) in enumerate(zip(points, present, strict=True), start=1):
        if here:
            cv2.circle(canvas, point, 4, _PITCH, -1, cv2.LINE_AA)
            _text(canvas, str(number), (point[0] + 6, point[1] - 4), _PITCH)
    for found in frame.objects:
        x1, y1, x2, y2 = (round(value) for value in found.bbox)
        colour = _COLOURS[found.class_id]
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
        _text(canvas, f"{CLASS_NAMES[found.class_id][0]}{found.id}", (x1, y1 - 5), colour)
    _text(canvas, f"frame {frame.frame_number}", (12, 24), (255, 255, 255))
    return canvas


def _text(canvas: Image, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, _FONT, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, text, place, _FONT, 0.5, colour, 1, cv2.LINE_AA)


def write_overlay(
    clip: Path,
    frames: Mapping[int, GsrFrame],
    video: Path,
    picture: Path,
    *,
    count: int,
    width: int = 960,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the first frames of a clip into a short video, and one of them into a picture.

    Args:
        clip: The clip.
        frames: The answer by frame number; nothing is drawn into other frames.
        video: The MP4 file to write.
        picture: The JPEG file to write: the frame in the middle, at full size.
        count: Number of frames of the video.
        width: Width of the video in pixels; the height follows.
        progress: Called after every frame with the number of frames done and in all.

    Raises:
        OSError: The picture cannot be written.
    """
    with av.open(str(clip)) as source, av.open(str(video), "w", format="mp4") as target:
        stream = source.streams.video[0]
        count = min(count, stream.frames or count)
        rate = stream.average_rate or Fraction(25)
        out = target.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "26"})
        out.width, out.height = width, round(stream.height * width / stream.width / 2) * 2
        out.pix_fmt = "yuv420p"
        for index, decoded in enumerate(source.decode(stream)):
            if index >= count:
                break
            image = np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
            drawn = draw_frame(image, frames[index]) if index in frames else image
            if index == count // 2 and not cv2.imwrite(str(picture), drawn):
                raise OSError(f"{picture} cannot be written")
            small = cv2.resize(drawn, (out.width, out.height), interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(small, format="bgr24")
            frame.pts, frame.time_base = index, 1 / Fraction(rate)
            target.mux(out.encode(frame))
            if progress is not None:
                progress(index + 1, count)
        target.mux(out.encode(None))
