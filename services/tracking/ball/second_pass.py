"""Looking for the ball once more: in samples, where the detector hints at it, and in frames between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from services.results import Detections, FrameResult, LumaPicture
from services.tracking.ball.selection import ball_boxes
from services.tracking.track import BALL
from services.video.thumbnail import thumbnail

__all__ = ["BallFinder", "SecondBallPass", "second_ball_pass"]

Boxes = npt.NDArray[np.float32]
"""(n, 5): x1, y1, x2, y2 in source pixels, score; by falling score."""
Point = npt.NDArray[np.float64]

HINTS: Final = 3
"""Places of one sample at which the detector's balls are looked at."""
APART: Final = 24.0
"""Pixels of a look; places nearer to each other than this lie in one crop."""
SURE: Final = 0.5
"""A sighting of this score says where the ball is looked for next."""
SPARSE: Final = 4
"""Of the pixels of a look every so many in a row and in a column make its thumbnail."""
LOST: Final = 25
"""Frames after which nobody knows where a ball may have gone."""
REACH: Final = 0.25
"""Share of the picture's width in six frames that makes two sure sightings worth no more than none."""


class BallFinder(Protocol):
    """What finds a ball in a part of a look."""

    def find(self, asks: Sequence[tuple[LumaPicture, Point]]) -> list[Boxes]:
        """Balls near a place of each look; places are in source pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A ball in a frame."""

    index: int
    place: Point
    score: float


class SecondBallPass:
    """Takes samples in order and gives them back with the balls that a closer look finds.

    What it finds depends on the samples and their looks alone, never on their batches. In frames between two
    samples that both have a ball it is looked for halfway between them; where one of the two has none, it is
    followed from the other one as long as it is found.

    Args:
        finder: Looks closely.
        width: Of the source picture.
    """

    def __init__(self, finder: BallFinder, width: int) -> None:
        self._finder = finder
        self._reach = REACH * width / 6
        self._last: list[_Seen] = []  # of the latest frame in which it was seen, best first
        self._speed: Point = np.zeros(2)  # source pixels per frame

    def add(self, result: FrameResult) -> FrameResult:
        """The same sample with the balls of the closer look, also in frames since the last sample."""
        luma_pictures = result.luma_pictures
        bare = replace(result, luma_pictures=(), ball_candidates=None)
        if not luma_pictures:
            return bare
        if self._last and result.index - self._last[0].index > LOST:
            self._last = []
        own = luma_pictures[-1] if luma_pictures[-1].index == result.index else None
        between = luma_pictures if own is None else luma_pictures[:-1]
        here = ball_boxes(result.detections) if own is None else self._look_at_sample(own, result)
        pair = self._pair(result.index, here)
        found: Sequence[Boxes]
        if pair is not None:
            found = self._on_the_way(between, *pair)
        elif self._last:
            found, seen, speed = self._follow(between, self._last[0], self._speed)
            if own is not None:
                (more,) = self._finder.find([(own, _predicted(seen, speed, own.index))])
                here = _united([here, more], own.scale)
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
                FrameResult(picture.index, _balls(boxes), None, thumbnail(picture.luma[::SPARSE, ::SPARSE]))
                for picture, boxes in seen_between
            ),
        )

    def _look_at_sample(self, picture: LumaPicture, result: FrameResult) -> Boxes:
        """Where the detector hints at a ball, and where it may have gone."""
        hinted = (
            [result.detections]
            if result.ball_candidates is None
            else [result.detections, result.ball_candidates]
        )
        boxes = np.concatenate([ball_boxes(one) for one in hinted])[:HINTS].astype(np.float64)
        places = list((boxes[:, :2] + boxes[:, 2:4]) / 2)
        places += [_predicted(seen, self._speed, picture.index) for seen in self._last[:1]]
        chosen: list[Point] = []
        for place in places:
            if all(np.hypot(*(place - other)) > APART * picture.scale for other in chosen):
                chosen.append(place)
        return _united(self._finder.find([(picture, place) for place in chosen]), picture.scale)

    def _pair(self, index: int, here: Boxes) -> tuple[_Seen, _Seen] | None:
        """Where it was and where it is, if it is likely that this is one ball."""
        best, chosen = 0.0, None
        for now in _best(index, here):
            for before in self._last:
                moved = float(np.hypot(*(now.place - before.place))) / (now.index - before.index)
                worth = now.score + before.score - moved / self._reach
                if worth > best:
                    best, chosen = worth, (before, now)
        return chosen

    def _on_the_way(self, luma_pictures: Sequence[LumaPicture], before: _Seen, now: _Seen) -> list[Boxes]:
        asks = []
        for picture in luma_pictures:
            share = (picture.index - before.index) / (now.index - before.index)
            asks.append((picture, before.place + share * (now.place - before.place)))
        return self._finder.find(asks)

    def _follow(
        self, luma_pictures: Sequence[LumaPicture], seen: _Seen, speed: Point
    ) -> tuple[list[Boxes], _Seen, Point]:
        """From a sighting on through looks, in time or against it."""
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


def second_ball_pass(predictor: object, width: int) -> Callable[[FrameResult], FrameResult]:
    """The second ball pass with the ball network of a predictor.

    Args:
        predictor: Its attribute `ball` is a `BallFinder`; a predictor without one leaves results as they are.
        width: Of the source picture, pixels.

    Returns:
        What the results of sampled frames go through, by rising frame number.
    """
    finder: BallFinder | None = getattr(predictor, "ball", None)
    return _unchanged if finder is None else SecondBallPass(finder, width).add


def _unchanged(result: FrameResult) -> FrameResult:
    return result


def _predicted(seen: _Seen, speed: Point, index: int) -> Point:
    return seen.place + speed * (index - seen.index)


def _best(index: int, boxes: Boxes) -> list[_Seen]:
    """The sightings of a frame that are sure."""
    middles = (boxes[:, :2].astype(np.float64) + boxes[:, 2:4]) / 2
    return [_Seen(index, m, float(s)) for m, s in zip(middles, boxes[:, 4], strict=True) if s >= SURE]


def _united(parts: Sequence[Boxes], scale: float) -> Boxes:
    """What was found in crops that may overlap: of two that are the same ball, the better one."""
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
    people, balls = found.classes != BALL, _balls(boxes)
    return Detections(
        np.concatenate([found.boxes[people], balls.boxes]),
        np.concatenate([found.scores[people], balls.scores]),
        np.concatenate([found.classes[people], balls.classes]),
    )
