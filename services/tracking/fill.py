"""Every frame of the clip from the sampled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.contracts.gsr import KEYPOINTS_PER_FRAME
from services.contracts.results import FrameResult
from services.tracking.camera import (
    Matrix,
    PictureSize,
    cameras,
    clean,
    fit_sample,
    sample_cameras,
    visible_keypoints,
)
from services.tracking.tracker import MAX_GAP_SAMPLES, Track, track_ball, track_people

SINGLE_SCORE = 0.6
"""A person seen in one sample only is kept from this score on."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """All frames of a clip.

    Attributes:
        keypoints: (frames, 32, 2) float64, source pixels; 0, 0 for an absent one.
        frame: (boxes,) int64, frame number of each box, rising.
        boxes: (boxes, 4) float64, x1, y1, x2, y2 in source pixels.
        ids: (boxes,) int64, track id.
        classes: (boxes,) int64, wire class id.
        fitted: Samples whose camera was found.
        tracks: Tracks kept.
    """

    keypoints: Matrix
    frame: npt.NDArray[np.int64]
    boxes: Matrix
    ids: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    fitted: int
    tracks: int


def fill_clip(
    results: Sequence[FrameResult],
    count: int,
    size: PictureSize,
    *,
    stride: int,
    tracking: bool = True,
    fits: Sequence[Matrix | None] | None = None,
) -> Filled:
    """Fill a clip.

    Args:
        results: The sampled frames, by rising frame number; at least one.
        count: Frames in the clip.
        size: The source picture.
        stride: Distance of the samples, frames.
        tracking: False repeats the nearest sample's boxes, each with an id of its own.
        fits: What `fit_sample` says of each result, where that was worked out while results came in.
    """
    indices = [r.index for r in results]
    raw = fits if fits is not None else [fit_sample(result, size) for result in results]
    fits = clean(raw, indices, size)
    path = cameras(fits, indices, count, size)
    keypoints = _fill_keypoints(results, path, count, size)
    tracks = (
        _tracks(results, sample_cameras(fits, indices, path), size, stride) if tracking else _loose(results)
    )
    reach = (stride + 1) // 2 if tracking else stride
    parts = [_fill_track(track, count, size, stride, reach) for track in tracks]
    frame = np.concatenate([p[0] for p in parts]) if parts else np.zeros(0, np.int64)
    boxes = np.concatenate([p[1] for p in parts]) if parts else np.zeros((0, 4))
    ids = np.repeat([t.id for t in tracks], [len(p[0]) for p in parts]).astype(np.int64)
    named = [_classes_at(track, part[0]) for track, part in zip(tracks, parts, strict=True)]
    classes = np.concatenate(named) if named else np.zeros(0, np.int64)
    order = np.argsort(frame, kind="stable")
    return Filled(
        keypoints,
        frame[order],
        boxes[order],
        ids[order],
        classes[order],
        sum(fit is not None for fit in fits),
        len(tracks),
    )


def _tracks(
    results: Sequence[FrameResult], fits: Sequence[Matrix | None], size: PictureSize, stride: int
) -> list[Track]:
    people = track_people(results, fits, stride)
    kept = [t for t in people if len(t.frames) > 1 or max(t.scores) >= SINGLE_SCORE]
    ball = track_ball(results, len(people) + 1, size.width, stride)
    return [*kept, ball] if ball is not None else kept


def _loose(results: Sequence[FrameResult]) -> list[Track]:
    tracks: list[Track] = []
    for sample, result in enumerate(results):
        found = result.detections
        for box, score, class_id in zip(found.boxes, found.scores, found.classes, strict=True):
            track = Track(len(tracks) + 1)
            track.see(result.index, sample, box, int(class_id), float(score))
            tracks.append(track)
    return tracks


def _classes_at(track: Track, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The class in each frame: that of the nearest sample, the earlier one in the middle."""
    seen = np.array(track.frames)
    middles = (seen[1:] + seen[:-1]) // 2
    return track.classes[np.searchsorted(middles, frames, side="left")]


def _fill_track(
    track: Track, count: int, size: PictureSize, stride: int, reach: int
) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Boxes of one track in every frame from a little before its first to a little after its last sample."""
    seen = np.array(track.frames)
    boxes = np.array(track.boxes, np.float64)
    first = 0 if seen[0] < stride else seen[0] - reach + 1
    last = count - 1 if seen[-1] + stride >= count else seen[-1] + reach
    frames = np.arange(max(0, first), min(count - 1, last) + 1)
    filled = np.stack([np.interp(frames, seen, boxes[:, k]) for k in range(4)], 1)
    if len(seen) > 1:
        for edge, inner, outside in ((0, 1, frames < seen[0]), (-1, -2, frames > seen[-1])):
            slope = (boxes[edge] - boxes[inner]) / (seen[edge] - seen[inner])
            filled[outside] = boxes[edge] + (frames[outside] - seen[edge])[:, None] * slope
    gaps = np.flatnonzero(np.diff(seen) > (MAX_GAP_SAMPLES + 1) * stride)
    keep = np.ones(len(frames), bool)
    for gap in gaps:  # too long to know what happened: only the ends of the gap are answered
        keep &= ~((frames > seen[gap] + reach) & (frames < seen[gap + 1] - reach))
    clipped = np.clip(filled, 0, [size.width, size.height, size.width, size.height])
    wide = clipped[:, 2:] - clipped[:, :2]
    whole = filled[:, 2:] - filled[:, :2]
    keep &= (wide.prod(1) > 0.3 * np.maximum(whole.prod(1), 1e-9)) & (wide > 1).all(1)
    return frames[keep].astype(np.int64), clipped[keep]


def _fill_keypoints(
    results: Sequence[FrameResult], path: Matrix | None, count: int, size: PictureSize
) -> Matrix:
    if path is not None:
        return visible_keypoints(path, size)
    # no camera in the whole clip: what was seen, as it was seen, until the next sample
    keypoints = np.zeros((count, KEYPOINTS_PER_FRAME, 2))
    for position, result in enumerate(results):
        end = results[position + 1].index if position + 1 < len(results) else count
        if result.keypoints is not None:
            seen = result.keypoints.scores[:, None] > 0
            keypoints[result.index : end] = np.where(seen, result.keypoints.points, 0)
    return keypoints
