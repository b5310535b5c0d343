"""Draws curves of accuracy against time as an SVG picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["Point", "curves"]

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 40, 50
"""Margins in pixels; the names of the curves stand in the right one."""
_COLOURS: Final = ("#0b6e4f", "#c1440e", "#2f5d9b", "#8a5a9e", "#b8860b", "#555555")
_TICKS_Y: Final = 5
"""Labelled values on the vertical axis."""
_MINIMUM_RATIO: Final = 1.2
"""Ratio of the longest to the shortest time on the axis: a single time needs a range around it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve.

    Attributes:
        seconds: Time.
        accuracy: 0 to 1.
        label: What the point was measured with, such as a stride.
    """

    seconds: float
    accuracy: float
    label: str


def curves(title: str, lines: Mapping[str, Sequence[Point]]) -> str:
    """Draw curves, with times on a logarithmic axis.

    Args:
        title: Title of the picture.
        lines: The points of each curve by its name; at least one point in all.
    """
    times = [max(point.seconds, 1e-3) for points in lines.values() for point in points]
    low, high = min(times), max(times)
    if high / low < _MINIMUM_RATIO:
        low, high = low / _MINIMUM_RATIO, high * _MINIMUM_RATIO
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(seconds: float) -> float:
        return _LEFT + across * math.log(max(seconds, 1e-3) / low) / math.log(high / low)

    def y(accuracy: float) -> float:
        return _TOP + down * (1 - accuracy)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 22, title, size=15),
    ]
    for step in range(_TICKS_Y + 1):
        share = step / _TICKS_Y
        parts.append(f'<path d="M{_LEFT} {y(share):.1f}H{_LEFT + across}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 8, y(share) + 4, f"{share:.1f}", anchor="end"))
    for seconds in sorted({round(time, 2) for time in times}):
        parts.append(_text(x(seconds), _TOP + down + 18, f"{seconds:g}", anchor="middle"))
    parts.append(_text(_LEFT + across / 2, _HEIGHT - 10, "seconds for a 30 s clip", anchor="middle"))
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        ordered = sorted(points, key=lambda point: point.seconds)
        places = " ".join(f"{x(p.seconds):.1f},{y(p.accuracy):.1f}" for p in ordered)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in ordered:
            note = escape(f"{name}, {p.label}: {p.accuracy:.3f} in {p.seconds:.2f} s")
            parts.append(
                f'<circle cx="{x(p.seconds):.1f}" cy="{y(p.accuracy):.1f}" r="3.5" fill="{colour}">'
                f"<title>{note}</title></circle>"
            )
        parts.append(_text(_LEFT + across + 14, _TOP + 16 + 18 * number, name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = "#222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
