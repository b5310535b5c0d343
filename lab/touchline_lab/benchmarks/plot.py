"""The plot of the benchmark as an SVG file: one bar per link and method, divided where its stages end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from touchline_lab.benchmarks.results import Condition

STAGES = {
    "first_frame_s": ("first frame", "#9aa5b1"),
    "first_detections_s": ("first detections", "#f0b429"),
    "all_sampled_s": ("frames inferred", "#2f80c2"),
    "answer_s": ("answer", "#27ab83"),
}
"""Text and colour of the stages, by the metric that tells their end."""
LEFT, WIDTH, RIGHT = 190, 620, 70
"""Pixels for the names of the methods, for the longest bar, and for the time behind it."""
BAR, GAP, HEAD = 16, 6, 34
"""Pixels: height of a bar, distance to the next, height of a link's heading."""


def svg(conditions: Sequence[Condition]) -> str:
    """Draw all conditions below each other, each with its own scale; a line marks the combined floor."""
    parts = [_legend()]
    top = 30
    for condition in conditions:
        drawn, height = _condition(condition, top)
        parts.append(drawn)
        top += height
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{top}"'
    style = 'font-family="sans-serif" font-size="12"'
    paper = f'<rect width="{LEFT + WIDTH + RIGHT}" height="{top}" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{"".join(parts)}</svg>\n'


def _legend() -> str:
    parts = []
    for number, (text, colour) in enumerate(STAGES.values()):
        x = LEFT + number * 130
        parts.append(f'<rect x="{x}" y="8" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="18">{text}</text>')
    parts.append(f'<text x="{LEFT + 4 * 130}" y="18" fill="#c0392b">| floor</text>')
    return "".join(parts)


def _condition(condition: Condition, top: int) -> tuple[str, int]:
    medians = condition.medians()
    rows = {
        name: [(metric, found[metric]) for metric in STAGES if metric in found]
        for name, found in medians.items()
    }
    longest = max((stages[-1][1] for stages in rows.values() if stages), default=1.0) or 1.0
    parts = [f'<text x="8" y="{top + 20}" font-weight="bold">{escape(condition.name)}</text>']
    y = top + HEAD
    for name, stages in rows.items():
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        before = 0.0
        for metric, end in stages:
            left, width = LEFT + before / longest * WIDTH, max(0.0, end - before) / longest * WIDTH
            parts.append(
                f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{BAR}"'
                f' fill="{STAGES[metric][1]}"/>'
            )
            before = max(before, end)
        parts.append(
            f'<text x="{LEFT + before / longest * WIDTH + 5:.1f}" y="{y + 12}">{before:.2f} s</text>'
        )
        y += BAR + GAP
    floor = condition.floors.get("combined_s")
    if floor and floor <= longest:
        x = LEFT + floor / longest * WIDTH
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top + HEAD - 4}" y2="{y}"'
            ' stroke="#c0392b" stroke-width="2"/>'
        )
    return "".join(parts), y - top + 10
