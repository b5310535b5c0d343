"""`touchline kinds`: which challenge kinds and predictors are installed, and which are served."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from services.cli.extras import require_extra


def kinds(as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False) -> None:
    """List challenge kinds and predictors: where they come from, and which are chosen."""
    require_extra("worker")
    from rich.table import Table

    from services.challenges.kinds import find_kinds
    from services.cli.console import stdout
    from services.inference.predictors import find_predictors
    from services.settings import get_settings

    settings = get_settings()
    served = {name: settings.predictor_for(name) for name in settings.served_kinds}
    found, predictors = find_kinds(), find_predictors()
    missing = [name for name in served if name not in found]
    if as_json:
        rows = [
            {"name": name, "source": plugin.source, "served": name in served, "predictor": served.get(name)}
            for name, plugin in found.items()
        ]
        rows_of_predictors = [{"name": name, "source": plugin.source} for name, plugin in predictors.items()]
        print(json.dumps({"kinds": rows, "predictors": rows_of_predictors, "missing": missing}, indent=2))
        return
    table = Table("kind", "source", "served", "predictor")
    for name, plugin in found.items():
        table.add_row(name, plugin.source, "yes" if name in served else "no", served.get(name, ""))
    for name in missing:
        table.add_row(name, "not installed", "no", served[name])
    stdout().print(table)
    table = Table("predictor", "source")
    for name, plugin in predictors.items():
        table.add_row(name, plugin.source)
    stdout().print(table)
