"""The endpoints of the guides for official miners, run as they stand against real workers.

Neither FastAPI nor the official packages are installed: stand-ins have the names that the guides import.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.settings import get_settings
from services.wire.gsr import decode_response
from tasks.worker_process import WorkerProcess
from tests.e2e.test_docs_examples import python_blocks
from tests.support.servers import MakeWorker

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _settings_of_the_test() -> Iterator[None]:
    yield
    get_settings.cache_clear()


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, module)


def endpoint(
    monkeypatch: pytest.MonkeyPatch, guide: str, name: str, redis_url: str, kinds: str = "gsr"
) -> Any:
    """The endpoint that a guide shows, with settings for this Redis."""
    stand_in(monkeypatch, "fastapi", HTTPException=HTTPException, Request=Request, Response=Response)
    for package in ("scorevision", "scorevision.utils"):
        stand_in(monkeypatch, package)
    stand_in(monkeypatch, "scorevision.utils.schemas", ChallengeRequest=SimpleNamespace)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SERVED_KINDS", kinds)
    get_settings.cache_clear()
    names: dict[str, Any] = {}
    (code,) = python_blocks(f"docs/guides/{guide}")
    exec(compile(code, guide, "exec"), names)  # noqa: S102 - our own documentation
    return names[name]


def posted(body: dict[str, Any]) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def test_the_endpoint_of_the_score_vision_miner(
    monkeypatch: pytest.MonkeyPatch, worker: WorkerProcess, clip_url: str
) -> None:
    process = endpoint(monkeypatch, "from-score-vision.md", "process_challenge", worker.redis_url)
    body = {"challenge_id": "official-1", "type": "gsr", "video_url": clip_url, "created_at": None}
    answer = decode_response(asyncio.run(process(posted(body))).body)
    assert answer.challenge_id == "official-1"
    assert len(answer.frames) == 100
    with pytest.raises(HTTPException, match="UrlRefused"):
        asyncio.run(process(posted(body | {"challenge_id": "official-2", "video_url": "ftp://x/y.mp4"})))


def test_the_endpoint_of_the_turbovision_miner(
    monkeypatch: pytest.MonkeyPatch, make_worker: MakeWorker, clip_url: str
) -> None:
    worker = make_worker(SERVED_KINDS="soccer_action")
    handle = endpoint(
        monkeypatch, "from-turbovision.md", "handle_challenge", worker.redis_url, "soccer_action"
    )
    answer = json.loads(
        asyncio.run(handle(SimpleNamespace(challenge_id="official-3", video_url=clip_url))).body
    )
    assert answer["challenge_id"] == "official-3"
    assert answer["prediction"]["type"] == "soccer_action"
    assert answer["processing_time"] > 0
    missing = clip_url.replace("clip", "missing")
    with pytest.raises(HTTPException, match="SourceRejected"):
        asyncio.run(handle(SimpleNamespace(challenge_id="official-4", video_url=missing)))
