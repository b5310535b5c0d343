"""Writes an evaluation: as JSON, as Markdown tables and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from touchline_lab.evaluation.plot import Point, curves
from touchline_lab.evaluation.run import Evaluation, Row, finest_within, summary, targets

__all__ = ["COLUMNS", "budget_cells", "cells", "markdown", "picture", "save"]

COLUMNS: Final = (
    *("scene", "stride", "sampled frames", "time, s", "F1", "people: recall / precision"),
    *("ball: recall / precision", "IDF1", "HOTA", "keypoint error, px", "ground error, px"),
    *("keypoint score", "score"),
)
"""Headings of the measures; docs/concepts/accuracy.md explains them."""
_CURVES: Final = {
    "score": "score",
    "F1": "f1",
    "IDF1": "idf1",
    "HOTA": "hota",
    "keypoint score": "keypoint_score",
    "ball recall": "ball_recall",
}
"""Curves of the picture, and the measure of each."""


def cells(row: Row) -> list[str]:
    """A row as text, one cell for each of `COLUMNS`."""
    m = row.measures
    return [
        row.scene,
        str(row.stride),
        f"{row.sampled:.0f}",
        f"{row.seconds:.2f}",
        f"{m.f1:.3f}",
        f"{m.people_recall:.3f} / {m.people_precision:.3f}",
        f"{m.ball_recall:.2f} / {m.ball_precision:.2f}",
        _number(m.idf1, 3),
        _number(m.hota, 3),
        _number(m.keypoint_px, 1),
        _number(m.reprojection_px, 1),
        f"{m.keypoint_score:.3f}",
        f"{m.score:.3f}",
    ]


def budget_cells(evaluation: Evaluation, budget: float) -> list[str]:
    """The finest stride whose mean time is within a budget in seconds, as a row of text."""
    row = finest_within(evaluation.rows, budget)
    if row is None:
        return [f"{budget:g} s", "no measured stride fits", *[""] * (len(COLUMNS) - 2)]
    return [f"{budget:g} s", *cells(row)[1:]]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def markdown(evaluation: Evaluation, budgets: Sequence[float]) -> str:
    """All tables as one Markdown page."""
    parts = ["# Accuracy", "", "## By scene and stride", "", _table(COLUMNS, map(cells, evaluation.rows))]
    parts += [
        "## Mean over the scenes (of errors in pixels the median)",
        "",
        _table(COLUMNS, map(cells, summary(evaluation.rows))),
    ]
    if budgets:
        rows = (budget_cells(evaluation, budget) for budget in budgets)
        parts += ["## The finest stride within each time budget", "", _table(("budget", *COLUMNS[1:]), rows)]
    raw = (
        [name, *(_number(v, 3) for v in found.values())] for name, found in evaluation.detector_ap50.items()
    )
    heads = ("scene", *next(iter(evaluation.detector_ap50.values()), {}))
    parts += ["## Detector alone: AP50 over all frames", "", _table(heads, raw)]
    claims = ([t.name, "yes" if t.ok else "**no**", t.detail] for t in targets(evaluation))
    parts += ["## Targets", "", _table(("target", "reached", "measured"), claims)]
    return "\n".join(parts)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, ""])


def picture(evaluation: Evaluation) -> str:
    """Curves of accuracy against time, as means over the scenes, as SVG."""
    lines: dict[str, list[Point]] = {}
    for name, attribute in _CURVES.items():
        for row in summary(evaluation.rows):
            value = getattr(row.measures, attribute)
            if value is not None:
                lines.setdefault(name, []).append(Point(row.seconds, value, f"stride {row.stride}"))
    return curves("Accuracy against time, mean over the scenes", lines)


def save(evaluation: Evaluation, budgets: Sequence[float], folder: Path) -> list[Path]:
    """Write `accuracy.json`, `accuracy.md` and `accuracy.svg` into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    data = evaluation.to_dict()
    data["budgets"] = {
        f"{budget:g}": None if (row := finest_within(evaluation.rows, budget)) is None else row.to_dict()
        for budget in budgets
    }
    texts = {
        "accuracy.json": json.dumps(data, indent=1, allow_nan=False) + "\n",
        "accuracy.md": markdown(evaluation, budgets),
        "accuracy.svg": picture(evaluation),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]
