"""A run's results for readers: a table on the terminal, JSON, a Markdown table and a plot in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from touchline_lab.benchmarks.plot import svg
from touchline_lab.benchmarks.results import Condition, Results, spread
from touchline_lab.benchmarks.targets import answers_agree, check

COLUMNS = {
    "first_frame_s": "first frame",
    "first_detections_s": "first detections",
    "all_decoded_s": "all decoded",
    "all_sampled_s": "all sampled",
    "answer_s": "answer",
    "cpu_s": "CPU s",
    "peak_mb": "peak MB",
}
TABLE_WIDTH = 190
FLOORS = {
    "round_trip_s": "round trip",
    "first_frame_s": "first frame",
    "network_s": "network",
    "decode_s": "decode",
    "inference_s": "inference",
    "combined_s": "max(network, decode + inference)",
}


def report(results: Results, out: Path) -> None:
    """Print, and write `bench.json`, `bench.md` and `bench.svg`."""
    console = Console(highlight=False)
    # a table that is cut to a narrow window says nothing: let the terminal wrap it
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
    """One list of texts for each row: its name, its metrics, its answer's ratios."""
    medians = condition.medians()
    official = medians.get("official", {}).get("answer_s")
    floor = condition.floors.get("combined_s")
    table = []
    for name, rows in condition.rows.items():
        line = [name]
        for metric in COLUMNS:
            found = spread(rows, metric)
            form = "{:.0f}" if metric == "peak_mb" else "{:.3f}"
            line.append("" if found is None else "{} ({}-{})".format(*(form.format(v) for v in found)))
        answer = medians[name].get("answer_s")
        # rows without inference have no answer to compare
        whole = answer is not None and name != "ours-frames"
        line.append(f"{official / answer:.2f}" if whole and official and answer else "")
        line.append(f"{answer / floor:.2f}" if whole and floor and answer else "")
        table.append(line)
    return table


def headings() -> list[str]:
    """Of `cells`."""
    return ["", *COLUMNS.values(), "official / it", "it / floor"]


def notes(condition: Condition) -> list[str]:
    """Floors, targets and what failed, as lines."""
    floors = [
        f"{text} {condition.floors[key]:.3f}" for key, text in FLOORS.items() if key in condition.floors
    ]
    lines = [f"floors, s: {', '.join(floors)}"] if floors else []
    lines += [target.sentence() for target in check(condition)]
    if not answers_agree(condition):
        lines.append("MISSED our rows did not all give the same answer")
    return lines + [f"left out: {name}: {why}" for name, why in condition.failed.items()]


def markdown(results: Results) -> str:
    """The tables as a Markdown page."""
    lines = [
        "# Benchmark",
        "",
        f"Medians of {results.rounds} rounds (least-most), seconds; {results.cores} cores, "
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
    table = Table(title=f"{condition.name}: medians (least-most), s", title_justify="left")
    for name in headings():
        table.add_column(name, justify="left" if not name else "right")
    for line in cells(condition):
        table.add_row(*line)
    return table
