"""Kind `gsr`: boxes, track ids and pitch keypoints for every frame of the clip."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from services.frame_plan import FramePlan
from services.settings import Settings
from services.tracking.camera.homography import PictureSize
from services.tracking.clip import ClipTracker
from services.tracking.interpolation.fill import FilledClip
from services.video.decode import Clip
from services.wire.gsr import DECIMALS, GsrFrame, GsrObject, GsrResponse

_PIECE = 256
"""Frames that are encoded at a time."""
_NO_FRAMES = b'"frames":[]'


def tracks(clip: Clip, plan: FramePlan, settings: Settings) -> ClipTracker:
    """What takes the results and makes all frames of them."""
    return ClipTracker(
        PictureSize(clip.width, clip.height),
        plan.stride,
        tracking=not settings.disable_tracking,
        key_frames=[] if clip.index is None else clip.index.key_frames,
    )


def encode(challenge_id: str, filled: FilledClip, seconds: float) -> bytes:
    """The answer as it goes to the validator.

    Args:
        challenge_id: Whose answer it is.
        filled: All frames.
        seconds: The time it took; recorded by the validator, not scored.
    """
    empty = msgspec.json.encode(GsrResponse(challenge_id, [], round(seconds, 3)))
    # quotes within an id are escaped, so these bytes stand there once
    head, tail = empty.split(_NO_FRAMES)
    count = len(filled.keypoints)
    starts = np.searchsorted(filled.frame, np.arange(count + 1))
    parts = [head, _NO_FRAMES[:-1]]
    # a piece at a time: as Python objects an answer is ten times as large as its JSON
    for first in range(0, count, _PIECE):
        if first:
            parts.append(b",")
        frames = _frames(filled, starts, first, min(first + _PIECE, count))
        parts.append(msgspec.json.encode(frames)[1:-1])
    return b"".join((*parts, _NO_FRAMES[-1:], tail))


def _frames(filled: FilledClip, starts: npt.NDArray[np.intp], first: int, end: int) -> list[GsrFrame]:
    """Frames `first` to before `end`; `starts` has the first object of each frame."""
    begin = starts[first]
    some = slice(begin, starts[end])
    rows = zip(
        filled.ids[some].tolist(),
        np.round(filled.boxes[some], DECIMALS).tolist(),
        filled.classes[some].tolist(),
        strict=True,
    )
    objects = [GsrObject(track, tuple(box), class_id) for track, box, class_id in rows]
    bounds = (starts[first : end + 1] - begin).tolist()
    keypoints = np.round(filled.keypoints[first:end], DECIMALS).tolist()
    return [
        GsrFrame(first + number, points, objects[bounds[number] : bounds[number + 1]])
        for number, points in enumerate(keypoints)
    ]
