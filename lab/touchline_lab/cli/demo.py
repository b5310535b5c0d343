"""`touchline demo`: a football clip answered by the whole system, cold and warm, and checked."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import Progressing, say, stdout

if TYPE_CHECKING:
    from touchline_lab.demo.checks import Check
    from touchline_lab.demo.run import DemoResult
    from touchline_lab.evaluation.scoring import Score
    from touchline_lab.renderer.clip_store import StoredClip

OVERLAY_FRAMES = 200


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the answer, the timelines and the pictures.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Length of the clip.")] = 30.0,
    cache: Annotated[Path, typer.Option(help="Folder where the rendered clip is kept.")] = Path(
        ".cache/clips"
    ),
    deadline: Annotated[
        float, typer.Option(min=5, max=3600, help="Deadline of each challenge, in seconds.")
    ] = 120.0,
    strict: Annotated[
        bool, typer.Option(help="Count an accuracy goal that is not reached as a failure.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Render a clip, serve it over TLS and HTTP/2, and answer it twice: cold and warm."""
    from services.settings import get_settings
    from touchline_lab.demo.checks import checks, goals, score
    from touchline_lab.demo.run import run_demo, save

    # like Ctrl-C, so that all parts are stopped on the way out
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    settings = get_settings()
    result = run_demo(_clip(cache, seconds), settings.worker_start_timeout_s + 10.0, deadline)
    held, found = checks(result), score(result)
    reached = goals(found)
    files = [] if out is None else [*save(result, out), *_draw(result, out)]
    if as_json:
        print(json.dumps(_summary(result, held, reached, found, files)))
    else:
        _print(result, held, reached, found, files)
    if not all(check.ok for check in (held + reached if strict else held)):
        sys.exit(1)


def _clip(cache: Path, seconds: float) -> StoredClip:
    from touchline_lab.renderer.clip_store import stored_clip
    from touchline_lab.renderer.seeds import DEMO_SEED

    with Progressing("rendering the clip (once)") as progress:
        return stored_clip(cache, DEMO_SEED, seconds, progress=progress)


def _draw(result: DemoResult, out: Path) -> list[Path]:
    from touchline_lab.evaluation.drawing import write_overlay

    video, picture = out / "overlay.mp4", out / "overlay.jpg"
    frames = {frame.frame_number: frame for frame in result.warm.response().frames}
    with Progressing("drawing the answer") as progress:
        write_overlay(result.clip.path, frames, video, picture, count=OVERLAY_FRAMES, progress=progress)
    return [video, picture]


def _summary(
    result: DemoResult, held: list[Check], reached: list[Check], found: Score, files: list[Path]
) -> dict[str, Any]:
    runs = {"cold": result.cold, "warm": result.warm}
    return {
        "seconds": {name: run.seconds for name, run in runs.items()},
        "handshakes": {name: run.handshakes for name, run in runs.items()},
        "set_up_delay": result.delays.total,
        "checks": [check.as_dict() for check in held],
        "goals": [check.as_dict() for check in reached],
        "score": found.to_dict(),
        "timelines": {name: run.answer.timeline for name, run in runs.items()},
        "files": [str(file) for file in files],
    }


def _print(
    result: DemoResult, held: list[Check], reached: list[Check], found: Score, files: list[Path]
) -> None:
    from touchline_lab.demo.tables import accuracy_table, checks_table, times_table

    console = stdout()
    for table in (times_table(result), accuracy_table(found), checks_table(held, reached)):
        console.print()
        console.print(table)
    if files:
        say("written: " + ", ".join(str(file) for file in files))
