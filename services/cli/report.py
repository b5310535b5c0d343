"""`touchline report`: timelines as one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.console import say
from services.errors import ReportFailed


def report(
    source: Annotated[
        Path, typer.Argument(help="A timeline (JSON), or a folder with timelines.", metavar="DIR|TIMELINE")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    clip: Annotated[
        Path | None, typer.Option(help="An annotated clip; an .mp4 of the folder by default.")
    ] = None,
) -> None:
    """Draw one timeline, compare two, or show the percentiles of many, in a file that needs no network."""
    timelines, skipped = read_timelines(source)
    for reason in skipped:
        say(f"left out: {reason}", style="yellow")
    if not timelines:
        raise ReportFailed(f"{source}: there is no timeline; `touchline submit --timeline FILE` writes one")
    if clip is None and source.is_dir():
        clip = next(iter(sorted(source.glob("*.mp4"))), None)
    write_report(timelines, out, clip)
    say(f"report: {out} ({len(timelines)} timelines)")


def write_report(timelines: dict[str, dict[str, Any]], out: Path, clip: Path | None = None) -> None:
    """Write the page.

    Raises:
        ReportFailed: The file cannot be written, or the clip not be read.
    """
    from services.monitoring.report_page import report_page

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report_page(timelines, clip), encoding="utf-8")
    except OSError as error:
        raise ReportFailed(f"the report cannot be written: {error}") from error


def read_timelines(source: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The timelines of a file or a folder by their names, and what was no timeline, with the reason.

    A file holds one timeline, or several by name as `touchline demo` leaves them.

    Raises:
        ReportFailed: There is no such file or folder.
    """
    if not source.exists():
        raise ReportFailed(f"{source}: no such file or folder")
    found: dict[str, dict[str, Any]] = {}
    skipped = []
    for file in sorted(source.rglob("*.json")) if source.is_dir() else [source]:
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            skipped.append(f"{file}: {error}")
            continue
        several = _timelines_in(data, file.stem)
        if not several:
            skipped.append(f"{file}: no timeline")
        for name, timeline in several.items():
            found[name if name not in found else f"{file.parent.name}/{name}"] = timeline
    return found, skipped


def _timelines_in(data: Any, name: str) -> dict[str, dict[str, Any]]:
    if not isinstance(data, dict):
        return {}
    if _is_timeline(data):
        return {name: data}
    if _is_timeline(data.get("timeline")):  # what `touchline submit --json` prints
        return {str(data.get("challenge_id") or name): data["timeline"]}
    return {key: value for key, value in data.items() if _is_timeline(value)}


def _is_timeline(data: Any) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("stages"), dict):
        return False
    numbers = (int, float)
    return all(
        isinstance(span, dict) and all(isinstance(span.get(key), numbers) for key in ("start", "end", "busy"))
        for span in data["stages"].values()
    )
