"""The second ball pass: the ball network searches sampled frames and frames between them once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from services.pitch import BALL
from services.results import Detections, FrameResult, LumaPicture
from services.tracking.ball.pitch_prior import Boxes, PitchPrior
from services.tracking.ball.selection import ball_boxes
from services.tracking.camera.homography import PictureSize
from services.video.thumbnail import thumbnail

__all__ = ["BallFinder", "SecondBallPass", "second_ball_pass"]

Point = npt.NDArray[np.float64]

MAX_CANDIDATES: Final = 3
"""Ball candidates of one sampled frame that are searched."""
CROP_DISTANCE: Final = 24.0
"""Pixels of a luma picture; positions closer to each other than this lie in one crop."""
MIN_CONFIDENCE: Final = 0.5
"""From this confidence on, a sighting is used to predict where the ball is next."""
THUMBNAIL_STEP: Final = 4
"""Every so many pixels of a luma picture, in rows and columns, make its thumbnail."""
MAX_GAP: Final = 25
"""Frames without a sighting after which nothing is predicted any more."""
REACH: Final = 0.25
"""Share of the picture's width per six frames at which two certain sightings are no longer one ball."""


class BallFinder(Protocol):
    """Finds balls in parts of luma pictures."""

    def find(self, asks: Sequence[tuple[LumaPicture, Point]]) -> list[Boxes]:
        """The balls near a position in each luma picture; positions are in source pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sighting:
    """A ball that was found in a frame."""

    index: int
    place: Point
    score: float


class SecondBallPass:
    """Takes results of sampled frames in order and returns them with the balls of the second pass.

    What it finds depends on the sampled frames and their luma pictures only, never on their batches. Between
    two sampled frames that both have a ball, the ball is searched on the line between them; where one of the
    two has none, it is followed from the other one as long as it is found.

    Args:
        finder: Searches parts of luma pictures.
        size: The source picture.
    """

    def __init__(self, finder: BallFinder, size: PictureSize) -> None:
        self._finder = finder
        self._prior = PitchPrior(size)
        self._reach = REACH * size.width / 6
        self._last: list[_Sighting] = []  # of the latest frame in which it was seen, best first
        self._speed: Point = np.zeros(2)  # source pixels per frame

    def add(self, result: FrameResult) -> FrameResult:
        """The same result with the second pass's balls, also in frames since the previous sampled frame."""
        luma_pictures = result.luma_pictures
        self._prior.begin_frame(result)
        detected = self._prior.weigh(ball_boxes(result.detections))
        bare = replace(
            result,
            detections=_with_balls(result.detections, detected),
            luma_pictures=(),
            ball_candidates=None,
        )
        if not luma_pictures:
            return bare
        if self._last and result.index - self._last[0].index > MAX_GAP:
            self._last = []
        own = luma_pictures[-1] if luma_pictures[-1].index == result.index else None
        between = luma_pictures if own is None else luma_pictures[:-1]
        here = detected
        if own is not None and result.ball_candidates is not None:
            found_here = self._search_sampled_frame(own, detected, result.ball_candidates)
            here = self._prior.weigh(found_here)
        pair = self._pair(result.index, here)
        found: Sequence[Boxes]
        if pair is not None:
            found = self._search_between(between, *pair)
        elif self._last:
            found, seen, speed = self._follow(between, self._last[0], self._speed)
            if own is not None:
                (more,) = self._finder.find([(own, _predicted(seen, speed, own.index))])
                here = _merged([here, self._prior.weigh(more)], own.scale)
        else:
            first = _best(result.index, here)
            nothing = [np.zeros((0, 5), np.float32)] * len(between)
            found = self._follow(between[::-1], first[0], np.zeros(2))[0][::-1] if first else nothing
        self._remember(result.index, between, found, here)
        seen_between = zip(between, found, strict=True)
        return replace(
            bare,
            detections=bare.detections if own is None else _with_balls(result.detections, here),
            intermediate=tuple(
                FrameResult(
                    picture.index,
                    _balls(boxes),
                    None,
                    thumbnail(picture.luma[::THUMBNAIL_STEP, ::THUMBNAIL_STEP]),
                )
                for picture, boxes in seen_between
            ),
        )

    def _search_sampled_frame(self, picture: LumaPicture, detected: Boxes, candidates: Detections) -> Boxes:
        """The balls at those of the detector, at its candidates, and where the ball is predicted."""
        boxes = np.concatenate([detected, ball_boxes(candidates)])[:MAX_CANDIDATES].astype(np.float64)
        places = list((boxes[:, :2] + boxes[:, 2:4]) / 2)
        places += [_predicted(seen, self._speed, picture.index) for seen in self._last[:1]]
        chosen: list[Point] = []
        for place in places:
            if all(np.hypot(*(place - other)) > CROP_DISTANCE * picture.scale for other in chosen):
                chosen.append(place)
        return _merged(self._finder.find([(picture, place) for place in chosen]), picture.scale)

    def _pair(self, index: int, here: Boxes) -> tuple[_Sighting, _Sighting] | None:
        """Where the ball was and where it is, if that is likely to be one ball."""
        best, chosen = 0.0, None
        for now in _best(index, here):
            for before in self._last:
                moved = float(np.hypot(*(now.place - before.place))) / (now.index - before.index)
                worth = now.score + before.score - moved / self._reach
                if worth > best:
                    best, chosen = worth, (before, now)
        return chosen

    def _search_between(
        self, luma_pictures: Sequence[LumaPicture], before: _Sighting, now: _Sighting
    ) -> list[Boxes]:
        asks = []
        for picture in luma_pictures:
            share = (picture.index - before.index) / (now.index - before.index)
            asks.append((picture, before.place + share * (now.place - before.place)))
        return self._finder.find(asks)

    def _follow(
        self, luma_pictures: Sequence[LumaPicture], seen: _Sighting, speed: Point
    ) -> tuple[list[Boxes], _Sighting, Point]:
        """Follow the ball from a sighting through luma pictures, forward or backward in time."""
        found = []
        for picture in luma_pictures:
            (boxes,) = self._finder.find([(picture, _predicted(seen, speed, picture.index))])
            found.append(boxes)
            best = _best(picture.index, boxes)
            if best:
                speed = (best[0].place - seen.place) / (best[0].index - seen.index)
                seen = best[0]
        return found, seen, speed

    def _remember(
        self, index: int, between: Sequence[LumaPicture], found: Sequence[Boxes], here: Boxes
    ) -> None:
        steps = [(picture.index, boxes) for picture, boxes in zip(between, found, strict=True)]
        for number, boxes in [*steps, (index, here)]:
            best = _best(number, boxes)
            if not best:
                continue
            if self._last:
                nearest = min(best, key=lambda seen: float(np.hypot(*(seen.place - self._last[0].place))))
                self._speed = (nearest.place - self._last[0].place) / (number - self._last[0].index)
            self._last = best


def second_ball_pass(predictor: object, size: PictureSize) -> Callable[[FrameResult], FrameResult]:
    """The second ball pass with the ball network of a predictor.

    Args:
        predictor: Its attribute `ball_network` is a `BallFinder`; without one, results stay as they are.
        size: The source picture.

    Returns:
        What the results of sampled frames go through, by rising frame number.
    """
    finder: BallFinder | None = getattr(predictor, "ball_network", None)
    return _unchanged if finder is None else SecondBallPass(finder, size).add


def _unchanged(result: FrameResult) -> FrameResult:
    return result


def _predicted(seen: _Sighting, speed: Point, index: int) -> Point:
    return seen.place + speed * (index - seen.index)


def _best(index: int, boxes: Boxes) -> list[_Sighting]:
    """The sightings of a frame that are certain enough to predict from, best first."""
    middles = (boxes[:, :2].astype(np.float64) + boxes[:, 2:4]) / 2
    return [
        _Sighting(index, m, float(s))
        for m, s in zip(middles, boxes[:, 4], strict=True)
        if s >= MIN_CONFIDENCE
    ]


def _merged(parts: Sequence[Boxes], scale: float) -> Boxes:
    """What was found in crops that may overlap; of two boxes of the same ball, the better one."""
    rows = np.concatenate([np.zeros((0, 5), np.float32), *parts])
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    kept: list[int] = []
    for number, row in enumerate(rows):
        middle = (row[:2] + row[2:4]) / 2
        near = [np.hypot(*(middle - (rows[k, :2] + rows[k, 2:4]) / 2)) for k in kept]
        if all(distance > 4 * scale for distance in near):
            kept.append(number)
    return rows[kept]


def _balls(boxes: Boxes) -> Detections:
    return Detections(boxes[:, :4], boxes[:, 4], np.full(len(boxes), BALL, np.int64))


def _with_balls(found: Detections, boxes: Boxes) -> Detections:
    return found.select(found.classes != BALL).joined(_balls(boxes))
