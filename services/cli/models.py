"""`touchline models`: which there are, whether one fits, and having them ready before a worker starts."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Annotated

import typer

from services.cli.console import say, stdout
from services.cli.extras import require_extra

app = typer.Typer(help="List, check and fetch models.", invoke_without_command=True)
SHOWN_DIGITS = 12
"""Hexadecimal digits of a checksum that are shown: enough to compare by eye."""
VARIABLES = {"detector": "DETECTOR_MODEL", "ball": "BALL_MODEL", "pitch": "PITCH_MODEL"}


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """List the models that the settings name and those that ship; nothing is downloaded."""
    require_extra("worker")
    if context.invoked_subcommand is None:
        _list(as_json)


def _list(as_json: bool) -> None:
    from rich.table import Table

    from services.errors import ModelNotReady
    from services.inference.model_report import describe, listed_models
    from services.settings import get_settings

    settings = get_settings()
    _quiet()
    found, wrong = [], []
    for use, name in listed_models(settings):
        try:
            found.append(describe(name, use, settings))
        except ModelNotReady as error:
            wrong.append((use, name, error.message))
    if as_json:
        rows = [asdict(facts) | {"file": str(facts.file)} for facts in found]
        bad = [{"use": use, "name": name, "error": text} for use, name, text in wrong]
        print(json.dumps({"models": rows, "wrong": bad}, indent=2))
    else:
        table = Table()
        for title in ("used as", "name", "kind", "classes", "runtime", "SHA-256", "file"):
            table.add_column(title, overflow="fold")
        for facts in found:
            table.add_row(
                facts.use,
                facts.name,
                facts.kind,
                facts.classes,
                facts.runtime,
                facts.sha256[:SHOWN_DIGITS],
                str(facts.file),
            )
        stdout().print(table)
        for use, name, text in wrong:
            say(f"{use or name}: {text}", "red")
    if wrong:
        raise typer.Exit(1)


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="A path, a bundled name, or hf:owner/repo/file.pt@commit.")],
) -> None:
    """Load a model as a worker would, map its classes, and have it look at two pictures."""
    from services.inference.model_report import check as checked
    from services.settings import get_settings

    _talk()
    facts, result = checked(model, get_settings())
    for name, value in (
        ("kind", facts.kind),
        ("classes", facts.classes),
        ("runtime", f"{facts.runtime}: {facts.reason}"),
        ("file", str(facts.file)),
        ("SHA-256", facts.sha256),
        ("tried", f"two pictures of no match: {result}"),
        ("set", f"{VARIABLES[facts.kind]}={facts.name}"),
    ):
        stdout().print(f"{name:<8} {value}", markup=False)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; by default those that the settings name.")
    ] = None,
) -> None:
    """Download models and export them to the runtime that will run them."""
    from services.inference.model_files import wanted_models
    from services.inference.model_report import fetch as fetched
    from services.settings import get_settings

    settings = get_settings()
    _talk()
    wanted = [("model", name) for name in names] if names else list(wanted_models(settings).items())
    for variable, name in wanted:
        choice = fetched(name, settings, variable)
        stdout().print(f"{name}: {choice.path}; {choice.runtime} runs it ({choice.reason})", markup=False)


def _talk() -> None:
    """What the library says while it downloads and exports goes to standard error."""
    logging.basicConfig(level="INFO", format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _quiet() -> None:
    logging.getLogger("services").setLevel(logging.ERROR)
