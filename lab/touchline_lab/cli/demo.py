"""`touchline demo`: the whole system answers a rendered clip, first cold, then warm, and is checked."""

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
"""Frames of the clip that are drawn with their answer: eight seconds."""


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the answer, the timelines and pictures.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Length of the clip in seconds.")] = 30.0,
    cache: Annotated[Path, typer.Option(help="Folder where the rendered clip is kept.")] = Path(
        ".cache/clips"
    ),
    deadline: Annotated[
        float,
        typer.Option(min=5, max=3600, help="Seconds from the submission of each challenge to its deadline."),
    ] = 120.0,
    strict: Annotated[bool, typer.Option(help="Fail if an accuracy goal is not reached.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Render a clip, serve it over TLS and HTTP/2, and answer it twice: cold and warm."""
    from services.settings import get_settings
    from touchline_lab.demo.checks import checks, goals, score
    from touchline_lab.demo.run import run_demo, save

    # as after Ctrl-C: leave through the contexts, which stop all processes
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
        "fingerprint": result.warm.fingerprint(),
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
    console.print(f"fingerprint of the answer's frames (SHA-256): {result.warm.fingerprint()}")
    if files:
        say("written: " + ", ".join(str(file) for file in files))
