"""Three HTTP front ends for the same work, which takes no time and makes an answer of 1 MB.

`python -m touchline_lab.benchmarks.http_front_ends.front_ends NAME PORT REDIS_URL` serves one until it ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, Final

import redis
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway.app import make_app
from services.settings import load_settings
from services.timeline import Timeline
from services.wire.reply import Answer, pack_answer
from tasks import reply
from tasks.caller import Caller
from tasks.queue_message import check_message

ANSWER_BYTES: Final = 1_000_000
"""Of an answer to 750 frames, about."""
BODY: Final = json.dumps({"challenge_id": "load", "filling": "x" * ANSWER_BYTES}).encode()
QUEUE: Final = "touchline"


def answer_at_once(redis_url: str) -> None:
    """Stands for a worker: takes every challenge from the queue and answers it without working on it."""
    taken = redis.Redis.from_url(redis_url, socket_timeout=None)
    while True:
        found: Any = taken.brpop([QUEUE], 0)
        accepted = check_message(found[1])
        data = pack_answer(Answer(accepted.challenge_id, BODY, partial=False, timeline=Timeline().to_dict()))
        reply.publish(Caller(accepted.challenge_id, accepted.token), data, reply.Sort.ANSWER)


def touchline(redis_url: str) -> Starlette:
    """The gateway, before a worker that answers at once."""
    settings = load_settings(redis_url=redis_url)
    return make_app(settings)


def celery_result(redis_url: str) -> Starlette:
    """A task whose result is the answer, as JSON in Celery's result backend."""
    from touchline_lab.benchmarks.http_front_ends.celery_front_end import answer

    async def challenge(request: Request) -> Response:
        asked = json.loads(await request.body())
        result = await asyncio.to_thread(lambda: answer.delay(asked["challenge_id"]).get(timeout=60))
        return JSONResponse(result)

    return Starlette(routes=[Route("/soccer/challenge", challenge, methods=["POST"])])


def background_task(redis_url: str) -> Starlette:
    """The answer is made in the background of the same process; the caller asks until it is there."""
    made: dict[str, bytes] = {}

    async def challenge(request: Request) -> Response:
        name = json.loads(await request.body())["challenge_id"]
        work = BackgroundTask(made.__setitem__, name, BODY)
        return JSONResponse({"ask": f"/result/{name}"}, status_code=202, background=work)

    async def result(request: Request) -> Response:
        body = made.pop(request.path_params["name"], None)
        return Response(status_code=404) if body is None else Response(body, media_type="application/json")

    return Starlette(
        routes=[
            Route("/soccer/challenge", challenge, methods=["POST"]),
            Route("/result/{name}", result),
        ]
    )


FRONT_ENDS: Final[dict[str, Callable[[str], Starlette]]] = {
    "touchline gateway": touchline,
    "celery JSON result": celery_result,
    "background task": background_task,
}


def main() -> None:
    """Serve one front end, or answer at once."""
    name, port, redis_url = sys.argv[1:]
    if name == "worker":
        answer_at_once(redis_url)
    uvicorn.run(
        FRONT_ENDS[name](redis_url),
        host="127.0.0.1",
        port=int(port),
        log_level="error",
        access_log=False,
        ws="none",
    )


if __name__ == "__main__":
    main()
