"""Tracking a clip: results of sampled frames become shots, tracks, and finally every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.pitch import PitchGeometry
from services.results import FrameResult
from services.tracking.camera.geometry import PitchVotes
from services.tracking.camera.homography import Matrix, PictureSize
from services.tracking.camera.location import locate
from services.tracking.cuts import first_after, is_cut
from services.tracking.interpolation.fill import FilledClip, concatenated, fill_shot
from services.tracking.shot import Shot
from services.tracking.track import Track

MIN_SINGLE_SCORE: Final = 0.6
"""Minimum confidence of a person who is found in one sampled frame only."""


class ClipTracker:
    """Takes the results of sampled frames one by one; most of the work is done while they arrive.

    Args:
        size: The source picture.
        stride: Usual distance of the sampled frames; they need not be that far apart.
        tracking: False repeats the boxes of the nearest sampled frame, each with an id of its own.
        key_frames: Numbers of the clip's key frames, rising, as far as they are known.
    """

    def __init__(
        self, size: PictureSize, stride: int, *, tracking: bool = True, key_frames: Sequence[int] = ()
    ) -> None:
        self._key_frames = key_frames
        self._size = size
        self._stride = stride
        self._tracking = tracking
        self._votes = PitchVotes(size)
        self._results: list[FrameResult] = []  # until it is decided which pitch the clip shows
        self._begin(self._votes.leader)

    def _begin(self, pitch: PitchGeometry) -> None:
        self._pitch = pitch
        self._next_id = 1
        self._done: list[tuple[Shot, list[Track]]] = []
        self._shot = Shot(self._size, self._stride, 0, 1)

    def add(self, result: FrameResult) -> None:
        """Take the next sampled frame, by rising frame number."""
        undecided = not self._votes.decided
        if undecided:
            self._results.append(result)
            self._votes.add(result.keypoints)
        if undecided and self._votes.decided and self._begin_anew():
            return
        self._track(result)

    def _begin_anew(self) -> bool:
        """Track all sampled frames once more if they show another pitch than was assumed."""
        results, self._results = self._results, []
        if self._votes.leader is self._pitch:
            return False
        self._begin(self._votes.leader)
        for result in results:
            self._track(result)
        return True

    def _track(self, result: FrameResult) -> None:
        result, fit = locate(result, self._size, self._pitch)
        first = 0
        if self._shot.results and self._cut(result, fit):
            first = first_after(self._shot.results[-1], result, self._key_frames)
            self._shot.add_ball([one for one in result.intermediate if one.index < first])
            self._close()
            self._shot = Shot(self._size, self._stride, first, self._next_id)
        self._shot.add_ball([one for one in result.intermediate if one.index >= first])
        self._shot.add(result, fit)

    def fill(self, count: int) -> FilledClip:
        """All frames of a clip of `count` frames; at least one sampled frame has been added."""
        self._begin_anew()
        self._close()
        ends = [shot.first for shot, _ in self._done[1:]] + [count]
        return concatenated(
            [
                fill_shot(shot, end, self._size, self._stride, tracks, self._pitch)
                for (shot, tracks), end in zip(self._done, ends, strict=True)
            ]
        )

    def _cut(self, result: FrameResult, fit: Matrix | None) -> bool:
        before = self._shot.results[-1]
        return is_cut(
            before.thumbnail,
            result.thumbnail,
            (self._shot.fits[-1], fit),
            result.index - before.index,
            self._size,
        )

    def _close(self) -> None:
        shot = self._shot
        if self._tracking:
            shot.close()
            ball = shot.ball.track(self._next_id + len(shot.tracks))
            kept = [t for t in shot.tracks if len(t.frames) > 1 or max(t.scores) >= MIN_SINGLE_SCORE]
            self._next_id += len(shot.tracks) + 1
            self._done.append((shot, [*kept, ball] if ball is not None else kept))
            return
        tracks = _untracked(shot.results, self._next_id)
        self._next_id += len(tracks)
        self._done.append((shot, tracks))


def _untracked(results: Sequence[FrameResult], first_id: int) -> list[Track]:
    tracks: list[Track] = []
    for result in results:
        found = result.detections
        for box, score, class_id in zip(found.boxes, found.scores, found.classes, strict=True):
            track = Track(first_id + len(tracks))
            track.observe(result.index, box, int(class_id), float(score))
            tracks.append(track)
    return tracks


def fill_clip(
    results: Sequence[FrameResult], count: int, size: PictureSize, *, stride: int, tracking: bool = True
) -> FilledClip:
    """Track and interpolate a clip whose results are all there.

    Args:
        results: The sampled frames, by rising frame number; at least one.
        count: Frames in the clip.
        size: The source picture.
        stride: Usual distance of the sampled frames.
        tracking: See `ClipTracker`.
    """
    clip = ClipTracker(size, stride, tracking=tracking)
    for result in results:
        clip.add(result)
    return clip.fill(count)
