"""One shot of a clip: its samples are joined to tracks while they come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from services.results import FrameResult
from services.tracking.ball.selection import BallSelection
from services.tracking.camera.homography import Matrix, PictureSize, between, is_outlier
from services.tracking.camera.pinhole import CameraReading, decompose_homography
from services.tracking.people.association import PeopleTracker
from services.tracking.track import Track

MOST_WAITING: Final = 12
"""Samples that wait for the next camera; older ones are taken without one."""


class Shot:
    """The samples between two cuts.

    A sample is joined to the tracks once the cameras around it are known, which is when the second next one
    has been fitted: that depends on the samples alone, never on how they came in batches.

    Args:
        size: The source picture.
        stride: Usual distance of the samples, frames.
        first: The shot's first frame.
        first_id: The id of its first track.

    Attributes:
        first: The same.
        results: The samples so far.
        fits: The camera of each, None where there is none or it was dropped.
        readings: Place and pose of the camera by each fit alone.
        ball: The way of its ball.
    """

    def __init__(self, size: PictureSize, stride: int, first: int, first_id: int) -> None:
        self.first = first
        self.results: list[FrameResult] = []
        self.fits: list[Matrix | None] = []
        self.readings: list[CameraReading | None] = []
        self._size = size
        self._people = PeopleTracker(stride, first_id)
        self.ball = BallSelection(size.width, stride)
        self._waiting: deque[int] = deque()
        self._before: tuple[int, Matrix] | None = None  # the fit before the latest one, as it was found
        self._latest: int | None = None  # position of the latest fit, not yet judged
        self._kept: int | None = None  # position of the latest fit that was kept

    @property
    def tracks(self) -> Sequence[Track]:
        """The people so far; all of them once the shot is closed."""
        return self._people.tracks

    def add(self, result: FrameResult, fit: Matrix | None) -> None:
        """Take the next sample."""
        position = len(self.results)
        self.results.append(result)
        self.fits.append(fit)
        self.readings.append(None if fit is None else decompose_homography(fit, self._size.centre))
        self.ball.add(result)
        self._waiting.append(position)
        if fit is not None:
            self._judge(position, fit)
            self._latest = position
        while len(self._waiting) > MOST_WAITING:
            self._join(self._waiting.popleft(), None)

    def add_ball(self, between: Sequence[FrameResult]) -> None:
        """Take the ball in frames before the next sample."""
        for one in between:
            self.ball.add(one)

    def close(self) -> None:
        """There are no more samples."""
        if self._latest is not None:
            self._settle(self._latest)
            self._latest = None
        while self._waiting:
            self._join(self._waiting.popleft(), None)

    def _judge(self, position: int, fit: Matrix) -> None:
        """The fit before this one is now known from both sides."""
        latest = self._latest
        middle = None if latest is None else self.fits[latest]
        if latest is None or middle is None:
            return
        before, self._before = self._before, (latest, middle)
        if before is not None:
            index = [self.results[i].index for i in (before[0], latest, position)]
            if is_outlier(before[1], middle, fit, (index[0], index[1], index[2]), self._size):
                self.fits[latest] = None
                return
        self._settle(latest)

    def _settle(self, position: int) -> None:
        """This fit is kept: join what waits up to its sample, moved on from the fit before."""
        last = self.fits[position]
        first = None if self._kept is None else self.fits[self._kept]
        while last is not None and self._waiting and self._waiting[0] <= position:
            here = self._waiting.popleft()
            camera = last if here == position else None
            if camera is None and first is not None and self._kept is not None:
                start, end = self.results[self._kept].index, self.results[position].index
                share = (self.results[here].index - start) / (end - start)
                camera = between(first, last, np.array([share]), self._size)[0]
            self._join(here, camera)
        self._kept = position

    def _join(self, position: int, camera: Matrix | None) -> None:
        self._people.add(self.results[position], camera)
