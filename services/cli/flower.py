"""`touchline flower`: Flower with the stage times of every challenge in its task table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.extras import require_extra
from services.settings import Settings


def flower_argv(settings: Settings, address: str = "127.0.0.1", port: int | None = None) -> list[str]:
    """The arguments of `celery -A tasks` that start Flower; all else is in `flower_config.py`.

    Args:
        settings: For the port.
        address: The address to listen on.
        port: The port to listen on; FLOWER_PORT when not given.
    """
    config = Path(__file__).parents[1] / "monitoring" / "flower_config.py"
    return [
        "flower",
        f"--conf={config}",
        f"--address={address}",
        f"--port={settings.flower_port if port is None else port}",
    ]


def flower(
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 in a container.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; FLOWER_PORT by default.")
    ] = None,
) -> None:
    """Run Flower in the foreground."""
    require_extra("flower")
    from services.settings import get_settings

    settings = get_settings()
    from celery.__main__ import main

    sys.argv = ["celery", "-A", "tasks", *flower_argv(settings, address, port)]
    main()
