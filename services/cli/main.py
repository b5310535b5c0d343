"""The `touchline` command. Every command is one file; what it needs is imported when it runs."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import typer
from typer.core import TyperGroup

from services.cli.chain import chain
from services.cli.console import complain
from services.cli.diagnose import diagnose
from services.cli.doctor import doctor
from services.cli.extras import LAB_COMMANDS, missing_lab
from services.cli.flower import flower
from services.cli.gateway import gateway
from services.cli.kinds import kinds
from services.cli.models import app as models_app
from services.cli.pool import pool
from services.cli.preflight import preflight
from services.cli.report import report
from services.cli.serve import serve
from services.cli.submit import submit
from services.cli.top import top
from services.cli.up import up
from services.cli.worker import worker
from services.errors import ChallengeError, SettingsError, TouchlineError

EXIT_FAILED = 1
"""What was asked for failed; the message says why."""
EXIT_SETTINGS = 78
"""`EX_CONFIG` of sysexits.h: starting again will not help."""
COMMANDS = "touchline.commands"
"""The entry point group by which another distribution adds commands."""


class Commands(TyperGroup):
    """The commands; one that belongs to a distribution that is not installed says so."""

    def get_command(self, ctx: Any, name: str) -> Any:
        """Find a command by its name."""
        found = super().get_command(ctx, name)
        if found is None and name in LAB_COMMANDS:
            raise missing_lab(name)
        return found


app = typer.Typer(
    name="touchline",
    cls=Commands,
    help="Football-video challenges answered at the speed of the link.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    up,
    serve,
    submit,
    worker,
    gateway,
    flower,
    doctor,
    diagnose,
    pool,
    preflight,
    chain,
    report,
    top,
    kinds,
):
    app.command()(command)
for entry in sorted(metadata.entry_points(group=COMMANDS), key=lambda entry: entry.name):
    app.command(name=entry.name)(entry.load())
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line; errors of this project become one message and an exit code."""
    try:
        app(prog_name="touchline")
    except SettingsError as error:
        complain(str(error))
        sys.exit(EXIT_SETTINGS)
    except ChallengeError as error:
        complain(f"{type(error).__name__} in {error.stage}: {error}")
        sys.exit(EXIT_FAILED)
    except TouchlineError as error:
        complain(str(error))
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
