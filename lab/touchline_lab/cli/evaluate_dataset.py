"""`touchline evaluate --dataset`: the models of the settings on labelled pictures of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import typer

from services.cli.console import Progressing, stdout, waiting

LOW_CONFIDENCE: Final = 0.01
"""Average precision needs boxes far below the threshold as well."""


def evaluate_dataset_command(
    folder: Path, aspect: str | None, names: str, draw: Path | None, as_json: bool
) -> None:
    """Infer every picture of a data set and print what was found.

    Raises:
        typer.BadParameter: The folder is no data set.
    """
    import cv2

    from services.inference.models import load_models
    from services.settings import get_settings
    from touchline_lab.evaluation.dataset import (
        aspect_ratio,
        draw_result,
        evaluate_ball,
        evaluate_dataset,
        infer_picture,
        infer_with_second_pass,
        read_dataset,
    )

    settings = get_settings()
    try:
        beginnings = tuple(name.strip() for name in names.split(",") if name.strip())
        pictures = list(read_dataset(folder, None if aspect is None else aspect_ratio(aspect), beginnings))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with waiting("loading the models"):
        models = load_models(settings.model_copy(update={"conf_threshold": LOW_CONFIDENCE}))
        answering = load_models(settings)
    results, answered = [], []
    with Progressing("inferring") as progress:
        for number, picture in enumerate(pictures, 1):
            results.append((picture, infer_picture(picture, models, settings.img_size)))
            if settings.second_ball_pass:
                found_again = infer_with_second_pass(picture, answering, settings.img_size)
                answered.append((picture, found_again))
            progress(number, len(pictures))
    found = evaluate_dataset(results, settings.conf_threshold)
    ball = evaluate_ball(answered, settings.conf_threshold)
    if ball is not None:
        found["boxes"]["ball, in the answer"] = ball
    if draw is not None:
        draw.mkdir(parents=True, exist_ok=True)
        for picture, result in results:
            drawn = draw_result(picture, result, settings.conf_threshold)
            cv2.imwrite(str(draw / f"{picture.name}.jpg"), drawn)
    if as_json:
        print(json.dumps(found))
    else:
        _print(found, settings.conf_threshold)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print(found: dict[str, Any], confidence: float) -> None:
    from rich.table import Table

    console = stdout()
    if "boxes" in found:
        table = Table(
            "class",
            "AP50",
            "recall",
            "precision",
            "true boxes",
            title=f"Boxes (recall and precision at confidence {confidence:g}, IoU 0.5)",
        )
        for name, row in found["boxes"].items():
            table.add_row(
                name, *(_number(row[key]) for key in ("ap50", "recall", "precision")), str(row["true"])
            )
        console.print(table)
        table = Table("height at 1280 px width", "recall", "people", title="People by height")
        for name, row in found["recall_by_height"].items():
            table.add_row(name, _number(row["recall"]), str(row["true"]))
        console.print(table)
    if "pitch" in found:
        table = Table("measure", "value", title="Pitch (pixels of a picture 1280 wide)")
        for name, value in found["pitch"].items():
            table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
        console.print(table)
