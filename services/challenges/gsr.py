"""Kind `gsr`: boxes, track ids and pitch keypoints for every frame of the clip."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from services.contracts.gsr import DECIMALS, GsrFrame, GsrObject, GsrResponse
from services.contracts.results import FrameResult
from services.settings import Settings
from services.tracking.camera import Matrix, PictureSize
from services.tracking.fill import Filled, fill_clip
from services.video.decode import Clip
from services.video.picture import Letterbox
from services.video.plan import FramePlan


def plan(clip: Clip, settings: Settings) -> tuple[FramePlan, Letterbox]:
    """Which frames are looked at, and at what size."""
    return (
        FramePlan(settings.frame_stride, clip.count, settings.pitch_stride),
        Letterbox.fit(clip.width, clip.height, settings.img_size),
    )


def fill(
    results: Sequence[FrameResult], fits: Sequence[Matrix | None], clip: Clip, settings: Settings
) -> Filled:
    """All frames from the sampled ones, by rising frame number, and the camera fitted to each."""
    return fill_clip(
        results,
        clip.stats.count,
        PictureSize(clip.width, clip.height),
        stride=settings.frame_stride,
        tracking=not settings.disable_tracking,
        fits=fits,
    )


def encode(challenge_id: str, filled: Filled, seconds: float) -> bytes:
    """The answer as it goes to the validator.

    Args:
        challenge_id: Whose answer it is.
        filled: All frames.
        seconds: The time it took; recorded by the validator, not scored.
    """
    keypoints = np.round(filled.keypoints, DECIMALS).tolist()
    rows = zip(
        filled.ids.tolist(),
        np.round(filled.boxes, DECIMALS).tolist(),
        filled.classes.tolist(),
        strict=True,
    )
    objects = [GsrObject(track, tuple(box), class_id) for track, box, class_id in rows]
    starts = np.searchsorted(filled.frame, np.arange(len(keypoints) + 1)).tolist()
    frames = [
        GsrFrame(number, points, objects[starts[number] : starts[number + 1]])
        for number, points in enumerate(keypoints)
    ]
    return msgspec.json.encode(GsrResponse(challenge_id, frames, round(seconds, 3)))
