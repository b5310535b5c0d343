"""`touchline worker`: the Celery worker with this project's settings."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def worker(
    name: Annotated[
        str | None, typer.Option(help="Name of the node, unique per Redis; by default made by Celery.")
    ] = None,
) -> None:
    """Run a worker in the foreground; it takes challenges when its models are warm."""
    from services.settings import get_settings

    settings = get_settings()
    from celery.__main__ import main

    from services.inference.devices import gpu_indices
    from tasks.celery_app import worker_argv

    argv = worker_argv(settings, len(gpu_indices(settings)) or settings.worker_concurrency)
    if name is not None:
        argv += ["--hostname", f"{name}@%h"]
    sys.argv = ["celery", "-A", "tasks", "--quiet", *argv]
    main()
