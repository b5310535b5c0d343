"""The ASGI application: one route for each official contract, and what operators and spot checks ask."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.download.guard import UrlGuard
from services.errors import Cancelled, ChallengeError, QueueFull, SettingsError, UnsupportedKind
from services.gateway.authentication import ANYBODY, Authentication
from services.gateway.limits import Limits
from services.gateway.metagraph import Metagraph, metagraph_from
from services.gateway.metrics import GatewayMetrics
from services.gateway.outlook import PING_S, Outlook
from services.gateway.page import docs_page
from services.gateway.recording import Recorder
from services.gateway.refusal import Refusal, json_response, refusal_of
from services.gateway.request_body import read_body
from services.gateway.status_page import StatusPage
from services.monitoring import tracing
from services.redis_connection import connect_async
from services.settings import Settings
from services.wire import gsr, private_track, tv_predict
from tasks.shared_client import Client

log = logging.getLogger(__name__)

BUILT_IN_ELSEWHERE: Final = ("gsr", "tv_predict")
"""Kinds with a route of their own; the first other one of SERVED_KINDS is that of the private track."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, as arguments of `Client.submit`."""

    kind: str
    challenge_id: str | None = None
    video_url: str = ""
    frames: tuple[Any, ...] = ()
    image_url: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, without what is empty; pictures that came in the message are left out."""
        frames = [{"frame_id": frame.frame_id, "url": frame.url} for frame in self.frames if not frame.data]
        found = {"video_url": self.video_url, "image_url": self.image_url, "frames": frames}
        return {name: value for name, value in found.items() if value}

    @property
    def urls(self) -> list[str]:
        """All addresses that a worker would fetch from."""
        own = [self.video_url, self.image_url, *(frame.url for frame in self.frames if not frame.data)]
        return [url for url in own if url]


class Gateway:
    """The handlers.

    Args:
        settings: The settings.
        count_workers: How many workers consume.

    Raises:
        SettingsError: Something that the authentication needs is missing.
    """

    def __init__(self, settings: Settings, count_workers: Callable[[], int]) -> None:
        self.settings = settings
        self.redis = connect_async(settings.broker_url, socket_timeout=2.0, socket_connect_timeout=2.0)
        self.client = Client(settings.redis_url)
        self.guard = UrlGuard.from_settings(settings)
        self.metagraph = _metagraph(settings)
        self.authentication = Authentication(settings, self.metagraph, self.redis)
        self.limits = Limits(settings.max_requests, settings.max_requests_per_hotkey)
        self.outlook = Outlook(settings, self.redis, count_workers)
        self.metrics = GatewayMetrics()
        self.status_page = StatusPage(settings)
        self.recorder = (
            Recorder(Path(settings.record_dir), int(settings.record_max_mb * 1e6))
            if settings.record_dir
            else None
        )

    async def soccer_challenge(self, request: Request) -> Response:
        """`POST /soccer/challenge`: the GSR track."""

        def asked(body: bytes) -> Asked:
            given = gsr.read_request(body)
            return Asked("gsr", given.challenge_id, given.video_url)

        return await self._answer(request, asked)

    async def challenge(self, request: Request) -> Response:
        """`POST /challenge`: the private track, whose kind the deployment decides."""

        def asked(body: bytes) -> Asked:
            kind = next((k for k in self.settings.served_kinds if k not in BUILT_IN_ELSEWHERE), None)
            if kind is None:
                raise UnsupportedKind("SERVED_KINDS has no kind of the private track, such as soccer_action")
            given = private_track.read_request(body)
            return Asked(
                kind, given.challenge_id, given.video_url or "", given.frames or (), given.image_url or ""
            )

        return await self._answer(request, asked)

    async def predict(self, request: Request) -> Response:
        """`POST /predict`: the open-source track; a failed challenge is answered in its own format."""

        def asked(body: bytes) -> Asked:
            given = tv_predict.read_input(body)
            return Asked("tv_predict", None, given.url or "", given.frames or ())

        return await self._answer(request, asked, failed=lambda error: tv_predict.encode_error(error))

    async def _answer(
        self,
        request: Request,
        asked: Callable[[bytes], Asked],
        failed: Callable[[ChallengeError], bytes] | None = None,
    ) -> Response:
        arrived = time.monotonic()
        route = request.url.path
        hotkey = ANYBODY
        try:
            credentials = self.authentication.read(request.headers)
            body = await read_body(
                request, int(self.settings.max_body_mb * 1e6), self.settings.body_timeout_s
            )
            hotkey = await self.authentication.check(credentials, body)
            # from here on it is a validator's: what strangers send is not traced
            with tracing.request_span(f"{request.method} {route}", time.monotonic() - arrived):
                content = await self._content(request, body, hotkey, arrived, asked, failed)
            response = Response(content, media_type="application/json")
        except Refusal as refusal:
            log.info("%s of %s refused: %d %s: %s", route, hotkey, refusal.status, refusal.reason, refusal)
            response = refusal.response()
        self.metrics.answered(route, response.status_code, time.monotonic() - arrived)
        return response

    async def _content(
        self,
        request: Request,
        body: bytes,
        hotkey: str,
        arrived: float,
        asked: Callable[[bytes], Asked],
        failed: Callable[[ChallengeError], bytes] | None,
    ) -> bytes:
        """The body of the response to a request that may be answered.

        Raises:
            Refusal: It is not answered after all.
        """
        try:
            wanted = asked(body)
            for url in wanted.urls:
                self.guard.check_url(url)
            with self.limits.waits(hotkey):
                return await _unless_gone(request, self._submitted(wanted, arrived))
        except ChallengeError as error:
            if failed is None or not error.timeline:
                raise refusal_of(error) from error
            return failed(error)

    async def _submitted(self, wanted: Asked, arrived: float) -> bytes:
        """Enqueue a challenge and wait for its answer, whose bytes are passed on as they are."""
        left = self.settings.gateway_deadline_s - self.settings.gateway_reserve_s
        left -= time.monotonic() - arrived
        if await self.outlook.too_long():
            raise QueueFull("the challenges that wait already take longer than the deadline")
        answer = await self.client.submit(
            wanted.video_url,
            frames=wanted.frames,
            image_url=wanted.image_url,
            challenge_id=wanted.challenge_id,
            kind=wanted.kind,
            deadline_s=max(0.001, left),
        )
        self.outlook.answered(answer.timeline)
        if self.recorder is not None:
            request = wanted.to_dict() | {"challenge_id": answer.challenge_id}
            await asyncio.to_thread(self.recorder.record, wanted.kind, request, answer.body)
        return answer.body

    async def availability(self, request: Request) -> Response:
        """`GET /availability`: whether a challenge that came now would be answered in time."""
        return json_response(200, {"available": await self.outlook.available()})

    async def status(self, request: Request) -> Response:
        """`GET /`: the status page, for clients of the local network unless STATUS_PAGE says otherwise."""
        if not self.status_page.may_see(request.client.host if request.client else ""):
            return Refusal(404, "not_found", "there is nothing here").response()
        return HTMLResponse(await self.status_page.html(), headers={"cache-control": "no-store"})

    async def docs(self, request: Request) -> Response:
        """`GET /docs`: 200 only while there is a warm worker; spot checks poll it."""
        if not self.outlook.workers:
            return Refusal(503, "warming", "no warm worker is there yet").response()
        return HTMLResponse(docs_page(self.settings))

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process lives."""
        return json_response(200, {"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: Redis answers, there is a warm worker, and it is known who may ask."""
        waiting = await self.outlook.queue_length()
        age = self._metagraph_age()
        ready = (
            waiting is not None and self.outlook.workers > 0 and (self.metagraph is None or age is not None)
        )
        state = {
            "ready": ready,
            "redis": waiting is not None,
            "warm_workers": self.outlook.workers,
            "queue": waiting,
            "waiting_requests": self.limits.waiting,
            "metagraph_age_s": None if age is None else round(age),
        }
        return json_response(200 if ready else 503, state)

    async def prometheus(self, request: Request) -> Response:
        """`GET /metrics`."""
        text = self.metrics.text(self.limits.waiting, self.outlook.workers, self._metagraph_age())
        return PlainTextResponse(text)

    def _metagraph_age(self) -> float | None:
        return None if self.metagraph is None else self.metagraph.age_s


async def _unless_gone(request: Request, work: Coroutine[Any, Any, bytes]) -> bytes:
    """The work's result; it is cancelled when the client closes the connection.

    Raises:
        Cancelled: It did.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        working.cancel()
        with suppress(asyncio.CancelledError, ChallengeError):
            await working
        raise Cancelled("the client went away before the answer was there", stage="gateway")
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_settings(settings: Settings) -> None:
    """Check that a gateway can start with these settings, without starting one.

    Raises:
        SettingsError: Something that the authentication needs is missing; the text says what.
    """
    _metagraph(settings)


def make_app(settings: Settings, count_workers: Callable[[], int] | None = None) -> Starlette:
    """Make the application.

    Args:
        settings: The settings.
        count_workers: How many workers consume; Celery is asked when it is not given.

    Raises:
        SettingsError: Something that the authentication needs is missing; the text says what.
        MissingExtra: Traces are wanted and the extra [tracing] is not installed.
    """
    tracing.begin(settings, tracing.GATEWAY)
    gateway = Gateway(settings, count_workers or _celery_workers(settings))

    @asynccontextmanager
    async def background(app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(gateway.outlook.watch())]
        if gateway.metagraph is not None:
            tasks.append(asyncio.create_task(gateway.metagraph.keep_fresh()))
        async with gateway.client:
            yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await gateway.redis.aclose()
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
    return Starlette(routes=routes, lifespan=background)


def _metagraph(settings: Settings) -> Metagraph | None:
    if settings.verifies and settings.miner_hotkey is None:
        raise SettingsError(
            "MINER_HOTKEY is needed to check signatures; VERIFY_ENABLED=0 answers without checking"
        )
    if not (settings.verifies and settings.checks_stake):
        return None
    return metagraph_from(settings)


def _celery_workers(settings: Settings) -> Callable[[], int]:
    from tasks.celery_app import make_app as make_celery

    app = make_celery(settings)
    return lambda: len(app.control.ping(timeout=PING_S))
