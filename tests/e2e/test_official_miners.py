"""The endpoints of the guides for official miners, in applications like the official ones, with real workers.

The official packages are not installed: stand-ins have the names that the guides import, and the signatures
of the official functions.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, Field

from services.settings import get_settings
from services.wire.gsr import decode_response
from tasks.worker_process import WorkerProcess
from tests.e2e.test_docs_examples import python_blocks
from tests.support.servers import MakeWorker

pytestmark = pytest.mark.e2e


class Config:
    """Stands for the Score Vision miner's configuration."""


def get_config() -> Config:
    return Config()


class FrameInput(BaseModel):
    frame_id: int = Field(ge=0)
    url: str | None = None
    data: str | None = None


class ChallengeRequest(BaseModel):
    """Stands for the TurboVision miner's request, with its fields."""

    challenge_id: str
    video_url: str | None = None
    image_url: str | None = None
    frames: list[FrameInput] | None = None


class ChallengeResponse(BaseModel):
    """Stands for its response, which the guide's endpoint goes around."""

    challenge_id: str
    predictions: list[Any] = Field(default_factory=list)
    processing_time: float


def log_startup_config() -> None:
    """Stands for what its application does when it starts."""


STAND_INS: dict[str, dict[str, Any]] = {
    "miner": {},
    "miner.core": {},
    "miner.core.models": {},
    "miner.core.models.config": {"Config": Config},
    "miner.dependencies": {"get_config": get_config},
    "scorevision": {},
    "scorevision.miner": {},
    "scorevision.miner.private_track": {},
    "scorevision.miner.private_track.logging": {"log_startup_config": log_startup_config},
    "scorevision.utils": {},
    "scorevision.utils.schemas": {"ChallengeRequest": ChallengeRequest},
}


ROUTES = "scorevision.miner.private_track.routes"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Gives what a guide's code defines, with settings for a Redis; its first part stands for the routes."""

    def of(guide: str, redis_url: str, kinds: str) -> dict[str, Any]:
        for module, content in STAND_INS.items():
            made = ModuleType(module)
            made.__dict__.update(content)
            monkeypatch.setitem(sys.modules, module, made)
        monkeypatch.setenv("REDIS_URL", redis_url)
        monkeypatch.setenv("SERVED_KINDS", kinds)
        get_settings.cache_clear()
        names: dict[str, Any] = {}
        for code in python_blocks(f"docs/guides/{guide}"):
            exec(compile(code, guide, "exec"), names)  # noqa: S102 - our own documentation
            routes = ModuleType(ROUTES)
            routes.__dict__.update(names)
            monkeypatch.setitem(sys.modules, ROUTES, routes)
        return names

    yield of
    get_settings.cache_clear()


def posted(app: FastAPI, path: str, body: dict[str, Any]) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://miner", timeout=60) as client,
        ):
            return await client.post(path, json=body)

    return asyncio.run(run())


def test_the_endpoint_of_the_score_vision_miner(
    shown: Callable[..., dict[str, Any]], worker: WorkerProcess, clip_url: str
) -> None:
    names = shown("from-score-vision.md", worker.redis_url, "gsr")
    started: list[FastAPI] = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        started.append(app)
        yield

    router = APIRouter(lifespan=names["shared_client"])
    router.add_api_route("/challenge", names["process_challenge"], methods=["POST"])
    app = FastAPI(lifespan=own)
    app.include_router(router, prefix="/soccer", tags=["soccer"])
    body = {"challenge_id": "official-1", "type": "gsr", "video_url": clip_url, "created_at": None}
    given = posted(app, "/soccer/challenge", body)
    answer = decode_response(given.content)
    assert (given.status_code, answer.challenge_id, len(answer.frames)) == (200, "official-1", 100)
    refused = posted(app, "/soccer/challenge", body | {"challenge_id": "2", "video_url": "ftp://x/y.mp4"})
    assert (refused.status_code, "UrlRefused" in refused.json()["detail"]) == (500, True)
    assert posted(app, "/soccer/challenge", body | {"video_url": None}).status_code == 400
    assert started == [app] * 3, "the application's own lifespan runs beside it"


def test_the_endpoint_of_the_turbovision_miner(
    shown: Callable[..., dict[str, Any]], make_worker: MakeWorker, clip_url: str
) -> None:
    worker = make_worker(SERVED_KINDS="soccer_action")
    names = shown("from-turbovision.md", worker.redis_url, "soccer_action")
    checked: list[str] = []

    def security() -> None:
        checked.append("signature")

    app = FastAPI(lifespan=names["lifespan"])

    async def challenge_endpoint(request: ChallengeRequest) -> Any:
        return await names["handle_challenge"](request)

    app.post("/challenge", response_model=ChallengeResponse, dependencies=[Depends(security)])(
        challenge_endpoint
    )
    given = posted(app, "/challenge", {"challenge_id": "official-3", "video_url": clip_url})
    assert given.status_code == 200, given.text
    assert given.json()["challenge_id"] == "official-3"
    assert given.json()["prediction"]["type"] == "soccer_action"
    assert given.json()["processing_time"] > 0
    assert checked == ["signature"]
    elsewhere = clip_url.replace("clip", "missing")
    missing = posted(app, "/challenge", {"challenge_id": "official-4", "video_url": elsewhere})
    assert (missing.status_code, "SourceRejected" in missing.json()["detail"]) == (500, True)
    frame = {"frame_id": 0, "url": elsewhere.replace("mp4", "jpg")}
    pictures = posted(app, "/challenge", {"challenge_id": "official-5", "frames": [frame]})
    assert "404" in pictures.text, "pictures are asked for as well"
    assert posted(app, "/challenge", {"challenge_id": 6, "video_url": clip_url}).status_code == 422
