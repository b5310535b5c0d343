"""`touchline score`: the official score of answers, and what each part of it lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.console import stdout
from services.wire.private_track import ACTIONS, FPS

STEP_S = 0.1
"""Seconds of delay whose price is shown."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of one answer.

    Attributes:
        name: The answer's file.
        kind: The challenge kind.
        score: The official number, 0 to 1.
        losses: What each action or field lost of it; for `gsr`, what it would gain if this part were 1.
        timings: For `soccer_action`: by tenths of a second after the true action (negative: before it), how
            many actions were off by that, and what they lost.
    """

    name: str
    kind: str
    score: float
    losses: dict[str, Any]
    timings: dict[str, dict[str, float]] = field(default_factory=dict)


def score(
    answer: Annotated[
        Path,
        typer.Argument(exists=True, help="The answer, as JSON, or a folder of answers.", metavar="ANSWER"),
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="The ground truth, as JSON; for gsr the clip. A folder has files of the same names.",
            metavar="TRUTH",
        ),
    ],
    kind: Annotated[
        str, typer.Option(help="soccer_action, cricket_delivery, tcg_grading, or gsr (its keypoint score).")
    ] = "soccer_action",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Score answers as validators do, and show where the points went."""
    from touchline_lab.evaluation.official_score import NotScorable

    try:
        found = [_scored(kind, *pair) for pair in _pairs(answer, truth)]
    except NotScorable as error:
        raise typer.BadParameter(str(error)) from error
    mean = sum(one.score for one in found) / len(found)
    if not as_json:
        for one in found:
            _print(one)
        if len(found) > 1:
            stdout().print(f"mean of {len(found)} answers: {mean:.4f}")
    elif answer.is_dir():
        print(json.dumps({"kind": kind, "score": mean, "answers": [asdict(one) for one in found]}))
    else:
        print(json.dumps(asdict(found[0])))


def _pairs(answer: Path, truth: Path) -> Iterator[tuple[Path, Path]]:
    """Answers with their ground truths: two files, or the files of two folders that have the same names."""
    if answer.is_dir() != truth.is_dir():
        raise typer.BadParameter("give two files or two folders")
    if not answer.is_dir():
        yield answer, truth
        return
    truths = {file.stem: file for file in truth.iterdir() if file.is_file()}
    files = sorted(answer.glob("*.json"))
    if not files:
        raise typer.BadParameter(f"{answer} has no JSON files")
    for file in files:
        if file.stem not in truths:
            raise typer.BadParameter(f"{truth} has no file named {file.stem}")
        yield file, truths[file.stem]


def _scored(kind: str, answer: Path, truth: Path) -> Scored:
    from touchline_lab.evaluation.action_score import ActionScore
    from touchline_lab.evaluation.official_score import score_prediction

    given = _read(answer)
    if kind == "gsr":
        from touchline_lab.evaluation.clip_score import score_clip

        keypoints = score_clip(truth, given)
        return Scored(answer.name, kind, keypoints.final, keypoints.losses)
    found = score_prediction(kind, given, _read(truth))
    if not isinstance(found, ActionScore):
        return Scored(answer.name, kind, found.total, dict(found.losses))
    losses = {name: asdict(loss) for name, loss in sorted(found.losses.items())}
    timings = {f"{tenths / 10:+.1f}": asdict(timing) for tenths, timing in found.timings.items()}
    return Scored(answer.name, kind, found.total, losses, timings)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from error


def _print(found: Scored) -> None:
    from rich.table import Table

    console = stdout()
    console.print(f"official score of {found.name} ({found.kind}): {found.score:.4f}")
    if found.kind == "soccer_action":
        table = Table(
            "action", "missed", "late", "wrong", f"each {STEP_S:g} s late costs", title="Points lost"
        )
        for name, loss in found.losses.items():
            rule = ACTIONS[name]
            price = rule.weight * (1 - rule.min_score) * STEP_S / rule.tolerance_s
            parts = [f"{loss[part]:.4f}" for part in ("missed", "late", "wrong")]
            table.add_row(
                name, *parts, f"{price:.3f} of a weight of {rule.weight:g} ({STEP_S * FPS:g} frames)"
            )
        console.print(table)
        table = Table("seconds late", "actions", "lost", title="Points lost by timing")
        for seconds, timing in found.timings.items():
            table.add_row(seconds, str(timing["actions"]), f"{timing['lost']:.4f}")
    else:
        heading = "the score would gain" if found.kind == "gsr" else "lost"
        table = Table("part", heading, title="Points lost")
        for name, lost in found.losses.items():
            table.add_row(name, f"{lost:.4f}")
    console.print(table)
