"""The trajectory of a ball: segments of constant acceleration, and kicks between them.

Between kicks a ball rolls, slows down or flies: over a few frames a parabola describes it. A kick or a bounce
may happen at any time between two observations; when it did follows from the parabolas on both sides, which
meet there. The segments are found over the whole shot by dynamic programming: misfits, unlikely
accelerations, segments that do not meet, and the segments themselves have a cost. Detections, and with them a
segment, may be wrong, so the answer is the median of three positions: on this trajectory, on a smooth curve,
and on straight lines.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.tracking.interpolation.cubic_curves import CubicCurves

Matrix = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_OBSERVATIONS: Final = 12
"""Observations in one segment."""
KICK_COST: Final = 12.0
"""Cost of a kick, where an observation that is off by its noise costs 1."""
MEETING_TOLERANCE: Final = 2.0
"""Distance, in units of the noise, at which two segments that do not meet cost 1."""
KICK_MOMENTS: Final = 13
"""Moments between two observations at which a kick is tried."""


class Trajectory:
    """The positions of a ball over a shot.

    Args:
        times: (n,) rising, frame numbers.
        points: (n, 2) observed positions, in pixels or metres.
        noise: (n, 2) their standard errors, in the same unit.
        speed: (2,) usual speeds, in units per frame.
        acceleration: (2,) usual accelerations, in units per frame squared.
    """

    def __init__(
        self, times: Matrix, points: Matrix, noise: Matrix, speed: Matrix, acceleration: Matrix
    ) -> None:
        self._times, self._points, self._noise = times, points, noise
        self._stiff = np.stack([np.zeros(2), speed**-2, acceleration**-2], 1)
        self._knots = CubicCurves.single(times)
        self._slopes = self._knots.slopes(points)
        segments = self._segments()
        self._segment = np.repeat(np.arange(len(segments)), [length for _, length, _ in segments])
        self._start = np.array([times[first] for first, _, _ in segments])
        self._parabolas = np.stack([parabola for _, _, parabola in segments])
        model = self._model(self._segment, times)
        self._left_over = points - model
        self._kicks = self._kick_times()

    def at(self, when: Matrix) -> Matrix:
        """Positions (m, 2) at times (m,), between the first and the last observation or close to them."""
        curve = np.zeros(len(when), np.int64)
        smooth = self._knots.evaluate(self._points, self._slopes, curve, when)
        straight = np.stack([np.interp(when, self._times, self._points[:, k]) for k in range(2)], 1)
        return np.asarray(np.median([self.in_segments(when), smooth, straight], axis=0), np.float64)

    def in_segments(self, when: Matrix) -> Matrix:
        """Positions (m, 2) by the segments alone."""
        left = np.clip(np.searchsorted(self._times, when, side="right") - 1, 0, len(self._times) - 1)
        right = np.minimum(left + 1, len(self._times) - 1)
        inside = (right > left) & (when >= self._times[left])
        late = inside & (self._segment[left] != self._segment[right]) & (when > self._kicks[left])
        segment = self._segment[np.where(late, right, left)]
        width = np.where(inside, self._times[right] - self._times[left], 1.0)
        share = np.where(inside, (when - self._times[left]) / width, 0.0)
        # add the residuals of the observations, so that the result passes through every one of them
        same = self._segment[left] == self._segment[right]
        share = np.where(same, share, late.astype(np.float64))[:, None]
        over = (1 - share) * self._left_over[left] + share * self._left_over[right]
        return self._model(segment, when) + over

    def _model(self, segment: Ints, when: Matrix) -> Matrix:
        t = (when - self._start[segment])[:, None]
        parabola = self._parabolas[segment]
        return np.asarray(parabola[..., 0] + t * parabola[..., 1] + t**2 / 2 * parabola[..., 2], np.float64)

    def _kick_times(self) -> Matrix:
        """(n,) when the segment of each observation ends and that of the next one begins."""
        kicks = self._times.copy()
        for i in np.flatnonzero(np.diff(self._segment)):
            moments = np.linspace(self._times[i], self._times[i + 1], KICK_MOMENTS)
            before = self._model(np.full(KICK_MOMENTS, self._segment[i]), moments) + self._left_over[i]
            after = self._model(np.full(KICK_MOMENTS, self._segment[i + 1]), moments) + self._left_over[i + 1]
            apart = (((before - after) / self._noise[i]) ** 2).sum(1)
            kicks[i] = moments[int(apart.argmin())]
        return kicks

    def _segments(self) -> list[tuple[int, int, Matrix]]:
        """First observation, length and parabola (2, 3) of every segment."""
        n, longest = len(self._times), min(MAX_OBSERVATIONS, len(self._times))
        fits = [self._fit(length) for length in range(1, longest + 1)]
        apart = self._apart(fits)
        cost = np.full((n, longest), np.inf)  # by the first observation and the length of a segment
        for k, (missed, _) in enumerate(fits):
            cost[: len(missed), k] = missed
        best, back = np.zeros((n, longest)), np.zeros((n, longest), np.int64)
        best[0] = cost[0]
        for first in range(1, n):
            before = _ending(best, first)
            through = before[:, None] + apart[first, : len(before)] + KICK_COST
            back[first] = through.argmin(0)
            best[first] = through.min(0) + cost[first]
        segments = []
        end, k = n, int(_ending(best, n).argmin())
        while end > 0:
            first = end - k - 1
            segments.append((first, k + 1, fits[k][1][first]))
            end, k = first, int(back[first, k])
        return segments[::-1]

    def _fit(self, length: int) -> tuple[Matrix, Matrix]:
        """Cost (m,) and parabola (m, 2, 3) of every run of so many observations."""
        runs = np.arange(len(self._times) - length + 1)[:, None] + np.arange(length)
        t = self._times[runs] - self._times[runs[:, :1]]
        basis = np.stack([np.ones_like(t), t, t**2 / 2], 2)[:, None]  # run, axis, observation, power
        weight = self._noise[runs].transpose(0, 2, 1)[..., None] ** -2
        points = self._points[runs].transpose(0, 2, 1)[..., None]
        square = (basis * weight).swapaxes(2, 3) @ basis + np.eye(3) * self._stiff[None, :, None, :]
        parabola = np.linalg.solve(square, (basis * weight).swapaxes(2, 3) @ points)
        missed = ((points - basis @ parabola) ** 2 * weight).sum((1, 2, 3))
        return missed + (parabola[..., 0] ** 2 * self._stiff).sum((1, 2)), parabola[..., 0]

    def _apart(self, fits: list[tuple[Matrix, Matrix]]) -> Matrix:
        """How badly segments meet, (n, longest, longest), at most four kicks' cost.

        Indexed by the observation before which one segment ends and with which the other begins, and by their
        lengths.
        """
        n, longest = len(self._times), len(fits)
        gaps = np.diff(self._times)[:, None] * np.linspace(0, 1, KICK_MOMENTS)
        moments = np.concatenate(
            [np.zeros((1, KICK_MOMENTS)), self._times[:-1, None] + gaps]
        )  # before each one
        before = np.full((n, longest, 2, KICK_MOMENTS), np.inf)
        after = np.full((n, longest, 2, KICK_MOMENTS), -np.inf)
        for k, (_, parabolas) in enumerate(fits):
            starts = np.arange(len(parabolas))
            ending = starts[: n - k - 1]
            before[ending + k + 1, k] = _along(
                parabolas[ending], moments[ending + k + 1] - self._times[ending, None]
            )
            after[starts, k] = _along(parabolas, moments[starts] - self._times[starts, None])
        noise = self._noise[:, None, None, :, None] * MEETING_TOLERANCE
        apart = (((before[:, :, None] - after[:, None]) / noise) ** 2).sum(3).min(3)
        return np.asarray(np.minimum(apart, 4 * KICK_COST), np.float64)


def _ending(table: Matrix, end: int) -> Matrix:
    """Of a table by first observation and length, the segments that end before an observation, by length."""
    longest = table.shape[1]
    # one observation earlier and one longer
    diagonal = table.ravel()[(end - 1) * longest :: -max(1, longest - 1)]
    return diagonal[: min(longest, end)]


def _along(parabolas: Matrix, t: Matrix) -> Matrix:
    """Parabolas (m, 2, 3) at times (m, k) since their starts, (m, 2, k)."""
    return np.asarray(parabolas @ np.stack([np.ones_like(t), t, t**2 / 2], 1), np.float64)
