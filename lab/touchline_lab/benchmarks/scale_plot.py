"""The plot of the scale benchmark as an SVG file: bars of time, CPU time and memory for each point."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from touchline_lab.benchmarks.results import median
from touchline_lab.benchmarks.scale_results import Point, ScaleResults

METRICS = {
    "wall_s": ("answer, s", "#2f80c2"),
    "cpu_s": ("CPU time per challenge, s", "#f0b429"),
    "peak_mb": ("peak memory, MB", "#27ab83"),
}
"""Text and colour of each metric."""
LEFT, WIDTH = 110, 220
"""Pixels for the names of the points, and for the longest bar."""
BAR, GAP, HEAD = 14, 6, 34
"""Pixels: height of a bar, distance to the next, height of the heading of a series."""
PANEL = WIDTH + 60
"""Pixels of one metric: the longest bar and the number behind it."""


def svg(results: ScaleResults) -> str:
    """Draw the series below each other; each has a panel per metric, with a scale of its own."""
    parts: list[str] = []
    top = 8
    for name in dict.fromkeys(point.series for point in results.points):
        drawn, height = _series(name, results.series(name), top)
        parts += drawn
        top += height
    width = LEFT + PANEL * len(METRICS)
    style = 'font-family="sans-serif" font-size="12"'
    paper = f'<rect width="{width}" height="{top}" fill="#fff"/>'
    size = f'width="{width}" height="{top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{"".join(parts)}</svg>\n'


def _series(name: str, points: Sequence[Point], top: int) -> tuple[list[str], int]:
    medians = [median(point.rows) for point in points]
    parts = [f'<text x="8" y="{top + 20}" font-weight="bold">{escape(name)}</text>']
    for column, (metric, (text, colour)) in enumerate(METRICS.items()):
        left = LEFT + column * PANEL
        longest = max(row[metric] for row in medians) or 1.0
        parts.append(f'<text x="{left}" y="{top + 20}">{escape(text)}</text>')
        for number, row in enumerate(medians):
            y = top + HEAD + number * (BAR + GAP)
            width = row[metric] / longest * WIDTH
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{left + width + 4:.1f}" y="{y + 11}">{row[metric]:.4g}</text>')
    for number, point in enumerate(points):
        y = top + HEAD + number * (BAR + GAP)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(point.name)}</text>')
    return parts, HEAD + len(points) * (BAR + GAP) + 16
