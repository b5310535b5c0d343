"""The comparison for readers: a table on the terminal, and JSON in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.plan_check import WORKERS, PlanCheck

TABLE_WIDTH = 120


def report(check: PlanCheck, out: Path) -> None:
    """Print, and write `plan-check.json`."""
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    table = Table(
        title=f"{check.count} challenges by chance, {check.per_hour:.0f} an hour, {WORKERS} workers: seconds",
        title_justify="left",
    )
    for name in ("", "measured", "replayed", "foretold", "90 % of the runs foretold", ""):
        table.add_column(name, justify="right")
    for row in check.predicted:
        table.add_row(
            f"{row.what} p{row.percentile}",
            f"{row.measured_s:.2f}",
            f"{row.replayed_s:.2f}",
            f"{row.median_s:.2f}",
            f"{row.least_s:.2f} to {row.most_s:.2f}",
            "inside" if row.inside else "OUTSIDE",
        )
    console.print(table)
    for line in notes(check):
        console.print(f"  {line}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "plan-check.json").write_text(json.dumps(asdict(check), indent=1) + "\n")
    console.print(f"written: {out}/plan-check.json", markup=False)


def notes(check: PlanCheck) -> list[str]:
    """What else there is to know."""
    apart = sum(check.service_s) / len(check.service_s)
    during = sum(check.run_service_s) / len(check.run_service_s)
    return [
        f"service times: mean {apart:.3f} s before and after, {during:.3f} s in the run",
        "replayed (each challenge with the service time that it had) waits differ from the real ones by "
        f"{check.replay_error_s * 1000:.0f} ms in the median",
    ]
