"""The results of a run for readers: a table on the terminal; JSON, Markdown and a plot in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.plot import svg
from touchline_lab.benchmarks.results import Condition, Results, spread
from touchline_lab.benchmarks.targets import answers_agree, check

COLUMNS = {
    "first_frame_s": "first frame decoded, s",
    "first_detections_s": "first detections, s",
    "all_decoded_s": "all sampled frames decoded, s",
    "all_sampled_s": "all sampled frames inferred, s",
    "answer_s": "complete answer, s",
    "cpu_s": "CPU time, s",
    "peak_mb": "peak memory, MB",
}
"""Headings of the metrics of a row."""
SPEED_UP, OVER_FLOOR = "times as fast as the reference miner", "answer / combined floor"
TABLE_WIDTH = 200
"""Characters that the table needs in a line; narrower terminals wrap lines instead of cutting cells."""
FLOORS = {
    "round_trip_s": "round trip",
    "first_frame_s": "first frame",
    "network_s": "network",
    "decode_s": "decoding",
    "inference_s": "inference",
    "combined_s": "combined = max(network, decoding + inference)",
}
"""Names of the floors."""


def report(results: Results, out: Path) -> None:
    """Print the tables, and write `bench.json`, `bench.md` and `bench.svg` into the folder `out`."""
    console = Console(highlight=False)
    # rich would cut cells to the width of the terminal: let the terminal wrap the lines instead
    console.width = max(console.width, TABLE_WIDTH)
    for condition in results.conditions:
        console.print(_rich(condition))
        for line in notes(condition):
            console.print(f"  {line}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.json").write_text(json.dumps(results.to_dict(), indent=1) + "\n")
    (out / "bench.md").write_text(markdown(results))
    (out / "bench.svg").write_text(svg(results.conditions))
    console.print(f"written: {out}/bench.json, bench.md, bench.svg", markup=False)


def cells(condition: Condition) -> list[list[str]]:
    """The table as text, one list per method: its name, its metrics, the two ratios of its answer."""
    medians = condition.medians()
    reference = medians.get("reference-miner", {}).get("answer_s")
    floor = condition.floors.get("combined_s")
    table = []
    for name, rows in condition.rows.items():
        line = [name]
        for metric in COLUMNS:
            found = spread(rows, metric)
            form = "{:.0f}" if metric == "peak_mb" else "{:.3f}"
            line.append("" if found is None else "{} ({}-{})".format(*(form.format(v) for v in found)))
        answer = medians[name].get("answer_s")
        # without models there is no answer to compare
        comparable = answer is not None and name != "touchline-no-models"
        line.append(f"{reference / answer:.2f}" if comparable and reference and answer else "")
        line.append(f"{answer / floor:.2f}" if comparable and floor and answer else "")
        table.append(line)
    return table


def headings() -> list[str]:
    """The headings of `cells`."""
    return ["method", *COLUMNS.values(), SPEED_UP, OVER_FLOOR]


def notes(condition: Condition) -> list[str]:
    """Floors, targets, and methods that failed, as lines of text."""
    floors = [
        f"{text} {condition.floors[key]:.3f}" for key, text in FLOORS.items() if key in condition.floors
    ]
    lines = [f"floors, s: {', '.join(floors)}"] if floors else []
    lines += [target.sentence() for target in check(condition)]
    if not answers_agree(condition):
        lines.append("MISSED the methods of Touchline did not all give the same answer")
    return lines + [f"left out: {name}: {why}" for name, why in condition.failed.items()]


def markdown(results: Results) -> str:
    """The tables as a Markdown page."""
    lines = [
        "# Benchmark",
        "",
        f"Medians (minimum-maximum) of {results.rounds} rounds on {results.cores} cores, "
        f"device {results.device}.",
        *(f"\nLeft out: {sentence}" for sentence in results.left_out),
    ]
    for condition in results.conditions:
        lines += ["", f"## {condition.name}", ""]
        names = headings()
        lines += [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        lines += [f"| {' | '.join(line)} |" for line in cells(condition)]
        lines += ["", *(f"- {line}" for line in notes(condition))]
    return "\n".join(lines) + "\n"


def _rich(condition: Condition) -> Table:
    table = Table(
        title=f"Link and congestion control {condition.name}: medians (minimum-maximum)", title_justify="left"
    )
    for name in headings():
        table.add_column(name, justify="left" if name == "method" else "right")
    for line in cells(condition):
        table.add_row(*line)
    return table
