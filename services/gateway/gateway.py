"""The handlers of the gateway's routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bittensor_wallet import Keypair
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from services.download.guard import UrlGuard
from services.errors import (
    Cancelled,
    ChallengeError,
    DeadlineExceeded,
    InvalidChallenge,
    QueueUnavailable,
    SettingsError,
)
from services.gateway.asked import (
    Asked,
    Reader,
    private_kind,
    read_gsr,
    read_private,
    read_tv_predict,
)
from services.gateway.authentication import Authentication
from services.gateway.limits import Limits
from services.gateway.load import Load, current_load
from services.gateway.metagraph import Metagraph, metagraph_from
from services.gateway.metrics import GatewayMetrics
from services.gateway.page import docs_page
from services.gateway.recording import Recorder
from services.gateway.rejection import Rejection, json_response, rejection_of
from services.gateway.request_body import RequestBodies
from services.gateway.status_page import StatusPage
from services.monitoring import tracing
from services.redis_connection import connect_async
from services.settings import Settings
from services.wire import tv_predict
from tasks.shared_client import Client

log = logging.getLogger(__name__)

CONNECTIONS: Final = 8
"""Connections to Redis for nonces and the load; further requests wait for their turn."""
ANSWER_S: Final = 2.0
"""Seconds that Redis gets for each of these."""
FRESH_S: Final = 0.3
"""Seconds for which one look at the load is enough for everybody: polls are free to anyone."""
LATE_S: Final = 2.0
"""Seconds behind the deadline until which an error may come: by then Redis does not answer."""
MANY_URLS: Final = 20
"""From here on addresses are checked in a thread: a thousand take a tenth of a second."""
Failed = Callable[[ChallengeError], bytes]
"""Encodes a failed challenge in the format of its track."""


class Gateway:
    """The handlers.

    Args:
        settings: The settings.

    Raises:
        SettingsError: Something that the authentication needs is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis = connect_async(
            settings.broker_url,
            max_connections=CONNECTIONS,
            turn_s=ANSWER_S,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )
        self.client = Client(settings=settings)
        self.guard = UrlGuard.from_settings(settings)
        self.metagraph = needed_metagraph(settings)
        self.authentication = Authentication(settings, self.metagraph, self.redis)
        self.bodies = RequestBodies(int(settings.max_body_mb * 1e6), settings.body_timeout_s)
        self.limits = Limits(settings.max_requests, settings.max_requests_per_hotkey)
        self.metrics = GatewayMetrics()
        self.status_page = StatusPage(settings)
        log.info("SERVED_KINDS=%s", ",".join(settings.served_kinds))
        if private_kind(settings) is None:
            log.warning("SERVED_KINDS has no kind of the private track: POST /challenge is rejected")
        self._looking = asyncio.Lock()
        self._looked = -FRESH_S
        self._seen: Load | None = None
        self.recorder: Recorder | None = None
        if settings.record_dir is not None:
            self.recorder = Recorder(Path(settings.record_dir), int(settings.record_max_mb * 1e6))

    async def close(self) -> None:
        """Finish what runs behind the answers, and close connections; the client is closed by its context."""
        if self.recorder is not None:
            await self.recorder.finish()
        await self.redis.aclose()

    async def soccer_challenge(self, request: Request) -> Response:
        """`POST /soccer/challenge`: the GSR track."""
        return await self._answer(request, read_gsr)

    async def challenge(self, request: Request) -> Response:
        """`POST /challenge`: the private track, whose kind the deployment decides."""
        return await self._answer(request, read_private)

    async def predict(self, request: Request) -> Response:
        """`POST /predict`: the open-source track; a failed challenge is answered in its own format."""
        return await self._answer(request, read_tv_predict, tv_predict.encode_error)

    async def _answer(self, request: Request, reader: Reader, failed: Failed | None = None) -> Response:
        arrived = time.monotonic()
        route = request.url.path
        hotkey: str | None = None
        body: bytes | None = None
        try:
            credentials = self.authentication.read(request.headers)
            body = await self.bodies.read(request)
            hotkey = await self.authentication.check(credentials, body)
            # from here on it is a validator's: what strangers send is not traced
            with tracing.request_span(f"{request.method} {route}", time.monotonic() - arrived):
                content = await self._content(request, body, hotkey, arrived, reader, failed)
            response = Response(content, media_type="application/json")
        except Rejection as rejection:
            who = hotkey or "an unknown caller"
            log.info(
                "%s of %s rejected: %d %s: %s", route, who, rejection.status, rejection.reason, rejection
            )
            response = rejection.response()
            if body is None and not await self.bodies.drained(request):
                response.headers["connection"] = "close"
        except Exception:
            log.exception("%s failed", route)
            response = Rejection(
                500, "internal", "an unexpected fault of the gateway; its log tells more"
            ).response()
        self.metrics.answered(route, response.status_code, time.monotonic() - arrived)
        return response

    async def _content(
        self,
        request: Request,
        body: bytes,
        hotkey: str | None,
        arrived: float,
        reader: Reader,
        failed: Failed | None,
    ) -> bytes:
        """The body of the response to a request that may be answered.

        Raises:
            Rejection: It is not answered after all.
        """
        try:
            asked = reader(body, self.settings)
        except ChallengeError as error:
            raise rejection_of(error) from error
        with self.limits.waits(hotkey):
            await self._check_urls(asked.urls)
            try:
                return await _unless_gone(request, self._submitted(asked, arrived))
            except ChallengeError as error:
                # what the queue did not take is the same for every track
                if failed is None or isinstance(error, InvalidChallenge | QueueUnavailable):
                    raise rejection_of(error) from error
                return failed(error)

    async def _check_urls(self, urls: list[str]) -> None:
        """Check all addresses.

        Raises:
            Rejection: One is not fetched from here.
        """

        def check() -> None:
            for url in urls:
                self.guard.check_url(url)

        try:
            if len(urls) > MANY_URLS:
                await asyncio.to_thread(check)
            else:
                check()
        except ChallengeError as error:
            raise rejection_of(error) from error

    async def _submitted(self, asked: Asked, arrived: float) -> bytes:
        """Enqueue a challenge and wait for its answer, whose bytes are passed on as they are."""
        left_s = self.settings.answer_within_s - (time.monotonic() - arrived)
        if left_s <= 0:
            raise DeadlineExceeded("the deadline passed while the request arrived", stage="gateway")
        try:
            async with asyncio.timeout(left_s + LATE_S):
                answer = await self.client.submit(
                    asked.video_url,
                    frames=asked.frames,
                    image_url=asked.image_url,
                    challenge_id=asked.challenge_id,
                    kind=asked.kind,
                    deadline_s=left_s,
                )
        except TimeoutError as error:
            raise QueueUnavailable("Redis did not answer until the deadline") from error
        if self.recorder is not None:
            request = asked.to_dict() | {"challenge_id": answer.challenge_id}
            self.recorder.begin(asked.kind, request, answer.body)
        return answer.body

    async def availability(self, request: Request) -> Response:
        """`GET /availability`: whether a challenge that came now would be answered in time."""
        load = await self._load()
        return json_response(200, {"available": load is not None and load.takes_another(self.settings)})

    async def status(self, request: Request) -> Response:
        """`GET /`: the status page, for clients of the local network unless STATUS_PAGE says otherwise."""
        if not self.status_page.may_see(request.client.host if request.client else ""):
            return Rejection(404, "not_found", "there is nothing here").response()
        return HTMLResponse(await self.status_page.html(), headers={"cache-control": "no-store"})

    async def docs(self, request: Request) -> Response:
        """`GET /docs`: 200 only while there is a warm worker; spot checks poll it."""
        load = await self._load()
        if load is None or not load.capacity.workers:
            return Rejection(503, "warming", "no warm worker is there yet").response()
        return HTMLResponse(docs_page(self.settings))

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process lives."""
        return json_response(200, {"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: Redis answers, there is a warm worker, and it is known who may ask."""
        load = await self._load()
        workers, age = _workers(load), self._metagraph_age()
        ready = workers > 0 and (self.metagraph is None or age is not None)
        state = {
            "ready": ready,
            "redis": load is not None,
            "warm_workers": workers,
            "queue": None if load is None else load.waiting,
            "waiting_requests": self.limits.waiting,
            "metagraph_age_s": None if age is None else round(age),
        }
        return json_response(200 if ready else 503, state)

    async def prometheus(self, request: Request) -> Response:
        """`GET /metrics`."""
        workers = _workers(await self._load())
        return PlainTextResponse(self.metrics.text(self.limits.waiting, workers, self._metagraph_age()))

    async def _load(self) -> Load | None:
        """The load, of now or of a moment ago."""
        async with self._looking:
            if time.monotonic() - self._looked >= FRESH_S:
                self._seen = await current_load(self.redis, self.settings.queue_name)
                self._looked = time.monotonic()
        return self._seen

    def _metagraph_age(self) -> float | None:
        return None if self.metagraph is None else self.metagraph.age_s


def needed_metagraph(settings: Settings) -> Metagraph | None:
    """The metagraph that the authentication needs; None where stake and permit are not checked.

    Raises:
        SettingsError: Something that the authentication needs is missing; the text says what.
    """
    if settings.verifies and settings.miner_hotkey is None:
        raise SettingsError(
            "MINER_HOTKEY is needed to check signatures; VERIFY_ENABLED=0 answers without checking"
        )
    if settings.miner_hotkey is not None:
        try:
            Keypair(ss58_address=settings.miner_hotkey)
        except ValueError as error:
            raise SettingsError(f"MINER_HOTKEY is not a valid SS58 address: {error}") from error
    return metagraph_from(settings) if settings.verifies and settings.checks_stake else None


def _workers(load: Load | None) -> int:
    return 0 if load is None else load.capacity.workers


async def _unless_gone(request: Request, work: Coroutine[Any, Any, bytes]) -> bytes:
    """The work's result; it is cancelled when the client closes the connection, or when this is cancelled.

    Raises:
        Cancelled: The client went away.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Cancelled("the client went away before the answer was there", stage="gateway")
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError, ChallengeError):
                await working


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
