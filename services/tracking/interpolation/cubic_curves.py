"""Smooth curves through observations at uneven times, many at once.

Cubic Hermite curves whose slopes come from the parabola through three neighbours: they pass through every
observation, follow an even acceleration exactly, and a wrong observation disturbs its neighbours only.
Source: de Boor, A Practical Guide to Splines, chapter 4 (Bessel's slopes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CubicCurves:
    """Observation times of several curves, one curve after the other.

    Attributes:
        times: (n,) rising within each curve.
        curve: (n,) number of the curve, rising from 0.
    """

    times: Matrix
    curve: Ints

    @classmethod
    def single(cls, times: npt.ArrayLike) -> CubicCurves:
        """Those of one curve."""
        at = np.asarray(times, np.float64)
        return cls(at, np.zeros(len(at), np.int64))

    @property
    def concatenated(self) -> npt.NDArray[np.bool_]:
        """(n - 1,) whether a knot and the next one belong to the same curve."""
        return np.asarray(self.curve[1:] == self.curve[:-1])

    def slopes(self, values: Matrix) -> Matrix:
        """Slopes at the knots, (n, k), of values (n, k); 0 for a curve with one knot."""
        gaps = np.where(self.concatenated, np.diff(self.times), 1.0)
        steps = np.where(self.concatenated[:, None], np.diff(values, axis=0) / gaps[:, None], 0.0)
        before, after = np.zeros_like(values), np.zeros_like(values)
        before[1:], after[:-1] = steps, steps
        short, long = np.zeros(len(values)), np.zeros(len(values))
        short[1:], long[:-1] = np.where(self.concatenated, gaps, 0.0), np.where(self.concatenated, gaps, 0.0)
        inner = (short > 0) & (long > 0)
        share = np.where(inner, short / np.where(inner, short + long, 1.0), 0.5)[:, None]
        middle = before * (1 - share) + after * share
        result = np.where(inner[:, None], middle, before + after)
        return self._ends(result, steps, inner)

    def _ends(self, slopes: Matrix, steps: Matrix, inner: npt.NDArray[np.bool_]) -> Matrix:
        """At an end, the slope of the parabola through the three nearest knots."""
        ends = slopes.copy()
        first = np.flatnonzero(self.concatenated & ~inner[:-1] & inner[1:])
        last = np.flatnonzero(self.concatenated & inner[:-1] & ~inner[1:])
        ends[first] = 2 * steps[first] - slopes[first + 1]
        ends[last + 1] = 2 * steps[last] - slopes[last]
        return ends

    def find(self, curve: Ints, at: Matrix) -> Ints:
        """The knot at or before each time on its curve, the curve's first one where there is none, (m,)."""
        span = float(max(self.times.max(), at.max(initial=0)) - min(self.times.min(), at.min(initial=0))) + 2
        low = min(self.times.min(), at.min(initial=0))
        key = self.curve * span + (self.times - low)
        found = np.searchsorted(key, curve * span + (at - low) + 1e-9, side="right") - 1
        start = np.searchsorted(self.curve, curve, side="left")
        return np.asarray(np.maximum(found, start), np.int64)

    def after(self, knot: Ints) -> Ints:
        """The next knot of the same curve, or the knot itself where it is the last one."""
        following = np.minimum(knot + 1, len(self.curve) - 1)
        return np.where(self.curve[following] == self.curve[knot], following, knot)

    def evaluate(self, values: Matrix, slopes: Matrix, curve: Ints, at: Matrix) -> Matrix:
        """The curves at times, (m, k); beyond their ends they go on straight.

        Args:
            values: (n, k) at the knots.
            slopes: (n, k) there.
            curve: (m,) which curve.
            at: (m,) when.
        """
        left = self.find(curve, at)
        right = self.after(left)
        gap = self.times[right] - self.times[left]
        inside = (gap > 0) & (at >= self.times[left]) & (at <= self.times[right])
        width = np.where(inside, gap, 1.0)[:, None]
        s = np.where(inside, at - self.times[left], 0.0)[:, None] / width
        rest = 1 - s
        bent = (
            (1 + 2 * s) * rest**2 * values[left]
            + s * rest**2 * width * slopes[left]
            + s**2 * (3 - 2 * s) * values[right]
            - s**2 * rest * width * slopes[right]
        )
        # before a curve's first knot `left` is that knot, after its last one too
        straight = values[left] + (at - self.times[left])[:, None] * slopes[left]
        return np.asarray(np.where(inside[:, None], bent, straight), np.float64)
