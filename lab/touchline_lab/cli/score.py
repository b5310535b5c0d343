"""`touchline score`: the official score of an answer, and what each part of it lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.console import stdout
from services.wire.private_track import ACTIONS, FPS

STEP_S = 0.1
"""Seconds of delay whose price is shown."""


def score(
    answer: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The answer, as JSON.")],
    truth: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The ground truth, as JSON.")],
    kind: Annotated[str, typer.Option(help="soccer_action, cricket_delivery or tcg_grading.")] = (
        "soccer_action"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Score an answer of the private track as validators do, and show where the points went."""
    from touchline_lab.evaluation.action_score import ActionScore
    from touchline_lab.evaluation.official_score import NotScorable, score_prediction

    try:
        found = score_prediction(kind, _read(answer), _read(truth))
    except NotScorable as error:
        raise typer.BadParameter(str(error)) from error
    if isinstance(found, ActionScore):
        losses: dict[str, Any] = {
            name: {"missed": loss.missed, "late": loss.late, "wrong": loss.wrong}
            for name, loss in sorted(found.losses.items())
        }
    else:
        losses = dict(found.losses)
    if as_json:
        print(json.dumps({"kind": kind, "score": found.total, "losses": losses}))
        return
    _print(kind, found.total, losses)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}") from error


def _print(kind: str, total: float, losses: dict[str, Any]) -> None:
    from rich.table import Table

    console = stdout()
    console.print(f"official score of {kind}: {total:.4f}")
    if kind == "soccer_action":
        table = Table(
            "action", "missed", "late", "wrong", f"each {STEP_S:g} s late costs", title="Points lost"
        )
        for name, loss in losses.items():
            rule = ACTIONS[name]
            price = rule.weight * (1 - rule.min_score) * STEP_S / rule.tolerance_s
            parts = [f"{loss[part]:.4f}" for part in ("missed", "late", "wrong")]
            table.add_row(
                name, *parts, f"{price:.3f} of a weight of {rule.weight:g} ({STEP_S * FPS:g} frames)"
            )
    else:
        table = Table("field", "lost", title="Points lost")
        for name, lost in losses.items():
            table.add_row(name, f"{lost:.4f}")
    console.print(table)
