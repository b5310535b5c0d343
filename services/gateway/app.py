"""The ASGI application: one route for each official contract, and what operators and spot checks ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway.gateway import Gateway, needed_metagraph
from services.gateway.rejection import Rejection
from services.monitoring import tracing
from services.settings import Settings


def check_settings(settings: Settings) -> None:
    """Check that a gateway can start with these settings, without starting one.

    Raises:
        SettingsError: Something that the authentication needs is missing; the text says what.
    """
    needed_metagraph(settings)


def make_app(settings: Settings) -> Starlette:
    """Make the application.

    Args:
        settings: The settings.

    Raises:
        SettingsError: Something that the authentication needs is missing; the text says what.
        MissingExtra: Traces are wanted and the extra [tracing] is not installed.
    """
    tracing.begin(settings, tracing.GATEWAY)
    gateway = Gateway(settings)

    @asynccontextmanager
    async def background(app: Starlette) -> AsyncIterator[None]:
        fresh = None
        if gateway.metagraph is not None:
            fresh = asyncio.create_task(gateway.metagraph.keep_fresh())
        try:
            async with gateway.client:
                yield
        finally:
            if fresh is not None:
                fresh.cancel()
                with suppress(asyncio.CancelledError):
                    await fresh
            await gateway.close()
            await asyncio.to_thread(tracing.end)

    handlers: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("POST", "/soccer/challenge", gateway.soccer_challenge),
        ("POST", "/challenge", gateway.challenge),
        ("POST", "/predict", gateway.predict),
        ("GET", "/availability", gateway.availability),
        ("GET", "/", gateway.status),
        ("GET", "/docs", gateway.docs),
        ("GET", "/healthz", gateway.healthz),
        ("GET", "/readyz", gateway.readyz),
        ("GET", "/metrics", gateway.prometheus),
    ]
    routes = [Route(path, handler, methods=[method]) for method, path, handler in handlers]
    app = Starlette(routes=routes, lifespan=background, exception_handlers={HTTPException: _not_routed})
    app.router.redirect_slashes = False
    return app


async def _not_routed(request: Request, error: Exception) -> Response:
    """A path or a method that there is not, in JSON as every other rejection."""
    assert isinstance(error, HTTPException)
    reason = {404: "not_found", 405: "method"}.get(error.status_code, "request")
    text = f"{request.method} {request.url.path}: {error.detail}; GET /docs lists what there is"
    response = Rejection(error.status_code, reason, text).response()
    response.headers.update(error.headers or {})
    return response
