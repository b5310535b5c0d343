"""Interpolation: every frame of a shot from its sampled frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.pitch import KEYPOINT_COUNT, TEMPLATE, PitchGeometry
from services.tracking.camera.homography import Matrix, PictureSize, visible_keypoints
from services.tracking.camera.lens import estimate_lens, undistorted
from services.tracking.camera.path import camera_path
from services.tracking.interpolation.boxes import BoxCurves, clip_to_picture, shown
from services.tracking.interpolation.spans import spans
from services.tracking.shot import Shot
from services.tracking.track import Track


@dataclass(frozen=True, slots=True, eq=False)
class FilledClip:
    """All frames of a clip.

    Attributes:
        keypoints: (frames, 32, 2) float64, source pixels; 0, 0 for an absent one.
        frame: (boxes,) int64, frame number of each box, rising.
        boxes: (boxes, 4) float64, x1, y1, x2, y2 in source pixels.
        ids: (boxes,) int64, track id.
        classes: (boxes,) int64, wire class id.
        fitted: Sampled frames whose camera was found.
        tracks: Tracks kept.
        pitch: The pitch that it shows.
    """

    keypoints: Matrix
    frame: npt.NDArray[np.int64]
    boxes: Matrix
    ids: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    fitted: int
    tracks: int
    pitch: PitchGeometry = TEMPLATE


def fill_shot(
    shot: Shot,
    end: int,
    size: PictureSize,
    stride: int,
    tracks: Sequence[Track],
    pitch: PitchGeometry = TEMPLATE,
) -> FilledClip:
    """Interpolate a shot.

    Args:
        shot: Its sampled frames.
        end: The frame after its last one.
        size: The source picture.
        stride: Usual distance of the sampled frames.
        tracks: Its tracks.
        pitch: The pitch that its cameras were fitted to.

    Returns:
        Its frames; `frame` counts from the clip's first one.
    """
    lens = estimate_lens(shot.results, shot.fits, size, pitch)
    if lens is None:
        path = camera_path(shot.results, shot.fits, shot.first, end, size, shot.decompositions, pitch)
    else:
        straight, fits = undistorted(shot.results, shot.fits, lens, pitch)
        path = camera_path(straight, fits, shot.first, end, size, None, pitch)
    # without a camera in the whole shot there is no pitch: keypoints that no camera explains are noise
    keypoints = np.zeros((end - shot.first, KEYPOINT_COUNT, 2))
    if path is not None:
        keypoints = visible_keypoints(path, size, pitch, None if lens is None else lens.distort)
    fitted = sum(fit is not None for fit in shot.fits)
    if not tracks:
        none = np.zeros(0, np.int64)
        return FilledClip(keypoints, none, np.zeros((0, 4)), none, none, fitted, 0, pitch)
    curves = BoxCurves(tracks, path, shot.first, size, lens)
    sampled_frames = np.array([result.index for result in shot.results])
    curve, frame = spans(tracks, curves, sampled_frames, shot.first, end, size, stride)
    whole = curves.at(curve, frame)
    boxes = clip_to_picture(whole, size)
    keep = shown(whole, size)
    curve, frame, boxes = curve[keep], frame[keep], boxes[keep]
    order = np.argsort(frame, kind="stable")
    curve, frame, boxes = curve[order], frame[order], boxes[order]
    ids = np.array([track.id for track in tracks], np.int64)[curve]
    classes = _classes(tracks, curve, frame)
    return FilledClip(keypoints, frame, boxes, ids, classes, fitted, len(tracks), pitch)


def concatenated(parts: Sequence[FilledClip]) -> FilledClip:
    """Shots, one after the other, as one clip."""
    if len(parts) == 1:
        return parts[0]
    return FilledClip(
        np.concatenate([part.keypoints for part in parts]),
        np.concatenate([part.frame for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.classes for part in parts]),
        sum(part.fitted for part in parts),
        sum(part.tracks for part in parts),
        parts[0].pitch,
    )


def _classes(
    tracks: Sequence[Track], curve: npt.NDArray[np.int64], frame: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The class of each box: that of its track's nearest sampled frame, the earlier one in a tie."""
    classes = np.zeros(len(frame), np.int64)
    order = np.argsort(curve, kind="stable")
    bounds = np.searchsorted(curve[order], np.arange(len(tracks) + 1))
    for number, track in enumerate(tracks):
        own = order[bounds[number] : bounds[number + 1]]
        seen = np.array(track.frames)
        middles = (seen[1:] + seen[:-1]) // 2
        classes[own] = track.classes[np.searchsorted(middles, frame[own], side="left")]
    return classes
