"""`touchline evaluate`: how good answers are, by stride and by budget, where everything is exactly known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import say, stdout, waiting
from touchline_lab.evaluation.scene_set import SceneSet

if TYPE_CHECKING:
    from touchline_lab.evaluation.run import Evaluation, Material

WIDE = 130
"""Columns that the table needs."""


def evaluate(
    clip: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="A clip of your own, with --truth.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="What is true in it, as JSON.")
    ] = None,
    scenes: Annotated[str, typer.Option(help="Rendered scenes: all, or names separated by commas.")] = "all",
    scene_set: Annotated[
        SceneSet, typer.Option("--set", help="The eleven that constants were tuned on, or the held-out ones.")
    ] = SceneSet.ELEVEN,
    strides: Annotated[str, typer.Option(help="Distances of the inferred frames.")] = "1,2,3,6,10",
    budgets: Annotated[
        str, typer.Option(help="Seconds for a 30 s clip; the finest plan within each is reported.")
    ] = "1,2,5,10",
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, the JSON and the curve.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder where rendered scenes are kept.")] = Path(
        ".cache/clips"
    ),
    seconds: Annotated[
        float | None, typer.Option(min=0.4, max=60, help="Another length of the rendered scenes.")
    ] = None,
    true_models: Annotated[
        bool, typer.Option(help="Take the truth for what the models say: what tracks and fill alone cost.")
    ] = False,
    dataset: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Instead: labelled pictures in the YOLO layout."),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            "--clip", exists=True, dir_okay=False, help="Instead: Score's keypoint score of any clip."
        ),
    ] = None,
    answer: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="With --clip: an answer of the kind gsr, as JSON."),
    ] = None,
    frames: Annotated[
        str, typer.Option(help="With --clip: START:STOP of the frames that are asked about; by default all.")
    ] = ":",
    aspect: Annotated[
        str | None, typer.Option(help="With --dataset: stretch the pictures to this ratio, such as 16:9.")
    ] = None,
    names: Annotated[
        str,
        typer.Option(help="With --dataset: only pictures whose names begin like this, separated by commas."),
    ] = "",
    draw: Annotated[Path | None, typer.Option(help="With --dataset: folder for pictures with boxes.")] = None,
    strict: Annotated[bool, typer.Option(help="A target that is not reached is a failure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Measure answers against exact ground truth: boxes, identities, keypoints and score, against time."""
    if dataset is not None:
        from touchline_lab.cli.evaluate_dataset import evaluate_dataset_command

        evaluate_dataset_command(dataset, aspect, names, draw, as_json)
        return
    if unlabelled is not None:
        from touchline_lab.cli.evaluate_clip import evaluate_clip_command

        evaluate_clip_command(unlabelled, answer, frames, as_json)
        return
    from services.inference.models import load_models
    from services.settings import get_settings
    from touchline_lab.evaluation.report import save
    from touchline_lab.evaluation.run import evaluate as run
    from touchline_lab.evaluation.run import targets
    from touchline_lab.evaluation.scenes import choose_scenes, rendered_scenes

    if (clip is None) != (truth is None):
        raise typer.BadParameter("a clip and its --truth go together")
    plans = [int(stride) for stride in numbers(strides, "--strides", minimum=1, whole=True)]
    limits = numbers(budgets, "--budgets", minimum=0)
    try:
        conditions = [] if clip is not None else choose_scenes(scenes, seconds, scene_set)
    except ValueError as error:
        raise typer.BadParameter(f"--scenes: {error}") from error
    own = [own_material(clip, truth)] if clip is not None and truth is not None else []
    settings = get_settings()
    models = None
    if not true_models:
        with waiting("loading the models"):
            models = load_models(settings)
            models.warm(settings)
    found = run(iter(own) if own else rendered_scenes(conditions, cache), plans, models, settings)
    files = [] if out is None else save(found, limits, out)
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _print(found, limits)
    if files:
        say("written: " + ", ".join(str(file) for file in files))
    if strict and not all(target.ok for target in targets(found)):
        sys.exit(1)


def numbers(text: str, option: str, *, minimum: float, whole: bool = False) -> list[float]:
    """Read numbers separated by commas.

    Raises:
        typer.BadParameter: One is no number, not whole where it must be, or too small.
    """
    try:
        values = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        values = []
    if not values or not all(minimum <= v < 1e6 and (v.is_integer() or not whole) for v in values):
        kind = "whole numbers" if whole else "numbers"
        raise typer.BadParameter(f"{option} {text!r}: {kind} from {minimum:g}, separated by commas")
    return sorted(set(values))


def own_material(clip: Path, truth: Path) -> Material:
    """A clip of the operator's own.

    Raises:
        typer.BadParameter: The truth cannot be read.
    """
    import msgspec

    from touchline_lab.evaluation.run import Material
    from touchline_lab.renderer.clip import GroundTruth
    from touchline_lab.renderer.scene_clip import SceneTruth

    data = truth.read_bytes()
    try:
        named = msgspec.json.decode(data, type=SceneTruth)
        return Material(clip.stem, clip.read_bytes(), named.truth, named.ids)
    except msgspec.DecodeError:
        pass
    try:
        return Material(clip.stem, clip.read_bytes(), msgspec.json.decode(data, type=GroundTruth), None)
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"{truth} is no ground truth: {error}") from error


def _print(found: Evaluation, budgets: list[float]) -> None:
    from rich.table import Table

    from touchline_lab.evaluation.report import COLUMNS, budget_cells, cells, markdown
    from touchline_lab.evaluation.run import summary, targets

    console = stdout()
    if console.width < WIDE:  # a squeezed table is worse than none
        print(markdown(found, budgets))
        return
    table = Table(
        title="Accuracy by scene and stride; s: CPU seconds over the cores, 30 s clip", title_justify="left"
    )
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if number else "left")
    scene = found.rows[0].scene if found.rows else ""
    for row in found.rows:
        if row.scene != scene:
            table.add_section()
            scene = row.scene
        table.add_row(*cells(row))
    table.add_section()
    for row in summary(found.rows):
        table.add_row(*cells(row), style="bold")
    table.add_section()
    for budget in budgets:
        table.add_row(*budget_cells(found, budget))
    console.print(table)
    for target in targets(found):
        mark = "[green]reached[/green]" if target.ok else "[yellow]not reached[/yellow]"
        console.print(f"{mark}  {target.name}: {target.detail}")
