"""One shot: people of its sampled frames are associated to tracks while the frames arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from services.results import FrameResult
from services.tracking.ball.selection import BallSelection
from services.tracking.camera.homography import Matrix, PictureSize, between, is_outlier
from services.tracking.camera.pinhole import Decomposition, decompose_homography
from services.tracking.people.association import PeopleTracker
from services.tracking.track import Track

MAX_WAITING: Final = 12
"""Sampled frames that wait for the next homography; older ones are associated without a camera."""


class Shot:
    """The sampled frames between two cuts.

    A sampled frame is associated once the homographies around it are known, which is when the second next one
    has been fitted. That depends on the sampled frames only, never on their batches.

    Args:
        size: The source picture.
        stride: Usual distance of the sampled frames.
        first: The shot's first frame.
        first_id: The id of its first track.

    Attributes:
        first: The same.
        results: The sampled frames so far.
        fits: The homography of each, None where there is none or it was dropped as an outlier.
        decompositions: Position and pose of the camera behind each homography.
        ball: Selects its ball.
    """

    def __init__(self, size: PictureSize, stride: int, first: int, first_id: int) -> None:
        self.first = first
        self.results: list[FrameResult] = []
        self.fits: list[Matrix | None] = []
        self.decompositions: list[Decomposition | None] = []
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
        """Take the next sampled frame."""
        position = len(self.results)
        self.results.append(result)
        self.fits.append(fit)
        self.decompositions.append(None if fit is None else decompose_homography(fit, self._size.centre))
        self.ball.add(result)
        self._waiting.append(position)
        if fit is not None:
            self._judge(position, fit)
            self._latest = position
        while len(self._waiting) > MAX_WAITING:
            self._associate(self._waiting.popleft(), None)

    def add_ball(self, between: Sequence[FrameResult]) -> None:
        """Take the balls of frames before the next sampled frame."""
        for one in between:
            self.ball.add(one)

    def close(self) -> None:
        """There are no more sampled frames."""
        if self._latest is not None:
            self._settle(self._latest)
            self._latest = None
        while self._waiting:
            self._associate(self._waiting.popleft(), None)

    def _judge(self, position: int, fit: Matrix) -> None:
        """The homography before this one now has both neighbours: keep it, or drop it as an outlier."""
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
        """This homography is kept: associate the frames that wait up to it."""
        last = self.fits[position]
        first = None if self._kept is None else self.fits[self._kept]
        while last is not None and self._waiting and self._waiting[0] <= position:
            here = self._waiting.popleft()
            camera = last if here == position else None
            if camera is None and first is not None and self._kept is not None:
                start, end = self.results[self._kept].index, self.results[position].index
                share = (self.results[here].index - start) / (end - start)
                camera = between(first, last, np.array([share]), self._size)[0]
            self._associate(here, camera)
        self._kept = position

    def _associate(self, position: int, camera: Matrix | None) -> None:
        self._people.add(self.results[position], camera)
