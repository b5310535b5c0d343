"""`touchline gateway`: the HTTP server for validators."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.extras import require_chain, require_extra, require_tracing

KEEP_ALIVE_S = 75
"""Seconds for which an idle connection of a validator stays open; it asks about once a minute."""
GRACE_S = 5
"""Seconds behind the latest deadline that waiting requests get when the gateway is stopped."""


def gateway(
    host: Annotated[str | None, typer.Option(help="Address to listen on; GATEWAY_HOST by default.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; GATEWAY_PORT by default.")
    ] = None,
) -> None:
    """Answer validators over HTTP: POST /soccer/challenge, /challenge and /predict."""
    require_extra("gateway")
    import uvicorn

    from services.gateway.app import make_app
    from services.gateway.connections import BoundedConnection, allow_many_connections
    from services.monitoring.logs import set_up_logging
    from services.settings import get_settings

    settings = get_settings()
    require_tracing(settings)
    require_chain(settings)
    set_up_logging(settings.log_level, settings.log_format)
    allow_many_connections()
    uvicorn.run(
        make_app(settings),
        host=host or settings.gateway_host,
        port=port or settings.gateway_port,
        http=BoundedConnection,
        ws="none",
        log_config=None,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.answer_within_s) + GRACE_S,
        server_header=False,
    )
