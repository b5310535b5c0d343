"""The results of the scale benchmark: tables on the terminal; JSON, Markdown and a plot in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.results import median
from touchline_lab.benchmarks.scale_plot import svg
from touchline_lab.benchmarks.scale_results import ScaleResults, per_minute

TITLES = {
    "length": "Length of the clip",
    "size": "Height of the picture",
    "stride": "Stride",
    "load": "Workers x challenges at once",
}
"""Heading of the first column, by series."""
COLUMNS = {
    "wall_s": ("answer, median, s", "{:.2f}"),
    "last_s": ("last answer, s", "{:.2f}"),
    "queue_s": ("longest wait in the queue, s", "{:.2f}"),
    "cpu_s": ("CPU time per challenge, s", "{:.2f}"),
    "sampled": ("sampled frames", "{:.0f}"),
    "body_mb": ("clip, MB", "{:.1f}"),
    "answer_mb": ("answer, MB", "{:.1f}"),
    "before_mb": ("memory before, MB", "{:.0f}"),
    "peak_mb": ("peak memory, MB", "{:.0f}"),
}
"""Heading and number format of each metric."""
TABLE_WIDTH = 150
"""Characters that a table needs in a line; narrower terminals wrap lines instead of cutting cells."""


def report(results: ScaleResults, out: Path) -> None:
    """Print the tables, and write `scale.json`, `scale.md` and `scale.svg` into the folder `out`."""
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    for name in _series(results):
        table = Table(title=f"Cost by: {TITLES[name].lower()}", title_justify="left")
        for heading in headings(name):
            table.add_column(heading, justify="right")
        for row in cells(results, name):
            table.add_row(*row)
        console.print(table)
        for line in notes(results, name):
            console.print(f"  {line}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "scale.json").write_text(json.dumps(results.to_dict(), indent=1) + "\n")
    (out / "scale.md").write_text(markdown(results))
    (out / "scale.svg").write_text(svg(results))
    console.print(f"written: {out}/scale.json, scale.md, scale.svg", markup=False)


def headings(series: str) -> list[str]:
    """The headings of `cells`."""
    return [TITLES[series], *(text for text, _ in COLUMNS.values())]


def cells(results: ScaleResults, series: str) -> list[list[str]]:
    """The table of a series as text, one list per point: its name and the medians of its metrics."""
    table = []
    for point in results.series(series):
        row = median(point.rows)
        table.append([point.name, *(form.format(row[metric]) for metric, (_, form) in COLUMNS.items())])
    return table


def notes(results: ScaleResults, series: str) -> list[str]:
    """What a minute of video adds to each metric, as lines of text; only for the series `length`."""
    points = results.series(series)
    found = {
        metric: per_minute(points, metric)
        for metric in ("wall_s", "cpu_s", "peak_mb", "body_mb", "answer_mb")
    }
    if series != "length" or found["peak_mb"] is None:
        return []
    return [
        "a minute of video adds: "
        f"{found['wall_s']:.2f} s, {found['cpu_s']:.2f} s of CPU time, {found['peak_mb']:.1f} MB of memory "
        f"({found['body_mb']:.1f} MB of clip, {found['answer_mb']:.1f} MB of answer)"
    ]


def markdown(results: ScaleResults) -> str:
    """The tables as a Markdown page."""
    lines = [
        "# Scale",
        "",
        f"Medians of {results.rounds} rounds; {results.cores} cores, device {results.device}.",
    ]
    for name in _series(results):
        lines += ["", f"## {TITLES[name]}", ""]
        lines += [f"| {' | '.join(headings(name))} |", "|" + "---|" * len(headings(name))]
        lines += [f"| {' | '.join(line)} |" for line in cells(results, name)]
        lines += ["", *(f"- {line}" for line in notes(results, name))]
    return "\n".join(lines) + "\n"


def _series(results: ScaleResults) -> list[str]:
    return list(dict.fromkeys(point.series for point in results.points))
