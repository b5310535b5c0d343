"""`touchline worker`: the Celery worker with this project's settings."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.extras import require_extra, require_tracing
from services.errors import StartFailed
from tasks.worker_process import command

if TYPE_CHECKING:
    from services.settings import Settings


def worker(
    name: Annotated[
        str | None, typer.Option(help="Name of the node, unique per Redis; by default made by Celery.")
    ] = None,
) -> None:
    """Run a worker in the foreground; it takes challenges when its models are warm."""
    require_extra("worker")
    from services.settings import get_settings

    settings = get_settings()
    require_tracing(settings)
    _prepare(settings)
    from celery.__main__ import main

    from services.inference.cuda_devices import gpu_indices
    from tasks.celery_app import worker_argv

    argv = worker_argv(settings, settings.child_count(len(gpu_indices(settings))))
    if name is not None:
        argv += ["--hostname", f"{name}@%h"]
    sys.argv = ["celery", "-A", "tasks", "--quiet", *argv]
    main()


def _prepare(settings: Settings) -> None:
    """Download and export models before there are children, whose start has a limit."""
    from services.inference.preparation import needs_preparing
    from services.processes.parent_death import die_with_parent

    if not settings.uses_bundled or not needs_preparing(settings):
        return
    # in a process of its own: this one forks, which torch does not survive
    done = subprocess.run(command("models", "fetch"), preexec_fn=die_with_parent, check=False)
    if done.returncode:
        raise StartFailed("the models could not be made ready: see above")
