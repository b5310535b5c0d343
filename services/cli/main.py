"""The `touchline` command. Every subcommand is one file; what it needs is imported when it runs."""

from __future__ import annotations

import sys

import typer
from touchline_lab.cli.bench import bench
from touchline_lab.cli.demo import demo
from touchline_lab.cli.evaluate import evaluate
from touchline_lab.cli.plan import plan

from services.cli.console import complain
from services.cli.doctor import doctor
from services.cli.flower import flower
from services.cli.kinds import kinds
from services.cli.models import app as models_app
from services.cli.submit import submit
from services.cli.up import up
from services.cli.worker import worker
from services.errors import ChallengeError, SettingsError, TouchlineError

EXIT_FAILED = 1
EXIT_SETTINGS = 78
"""`EX_CONFIG` of sysexits.h: starting again will not help."""

app = typer.Typer(
    name="touchline",
    help="Football-video challenges answered at the speed of the link.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (up, demo, submit, worker, flower, doctor, bench, evaluate, plan, kinds):
    app.command()(command)
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
