"""The comparison of simulation and real workers for readers: a table on the terminal, JSON in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.plan_check import WORKERS, PlanCheck

TABLE_WIDTH = 120
"""Characters that the table needs in a line; narrower terminals wrap lines instead of cutting cells."""


def report(check: PlanCheck, out: Path) -> None:
    """Print the table, and write `plan-check.json` into the folder `out`."""
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    table = Table(
        title=f"{check.count} challenges at random times, {check.per_hour:.0f} per hour, {WORKERS} workers",
        title_justify="left",
    )
    for name in (
        "percentile",
        "measured, s",
        "replayed, s",
        "predicted, s",
        "90 % of the predicted runs, s",
        "measured is",
    ):
        table.add_column(name, justify="right")
    for row in check.predicted:
        table.add_row(
            f"{row.what} p{row.percentile}",
            f"{row.measured_s:.2f}",
            f"{row.replayed_s:.2f}",
            f"{row.median_s:.2f}",
            f"{row.minimum_s:.2f} to {row.maximum_s:.2f}",
            "inside" if row.inside else "OUTSIDE",
        )
    console.print(table)
    for line in notes(check):
        console.print(f"  {line}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "plan-check.json").write_text(json.dumps(asdict(check), indent=1) + "\n")
    console.print(f"written: {out}/plan-check.json", markup=False)


def notes(check: PlanCheck) -> list[str]:
    """Service times and the error of the replay, as lines of text."""
    apart = sum(check.service_s) / len(check.service_s)
    during = sum(check.run_service_s) / len(check.run_service_s)
    return [
        f"service times: mean {apart:.3f} s before and after the run, {during:.3f} s during it",
        "waiting times of the replay (each challenge with the service time that it really had) differ from "
        f"the real ones by {check.replay_error_s * 1000:.0f} ms in the median",
    ]
