"""Passwords and the signatures of signed addresses stand nowhere but where they are needed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.errors import ChallengeError
from services.processes.embedded_valkey import EmbeddedValkey
from tasks.client import submit
from tasks.worker_process import WorkerProcess, command
from tests.support.processes import wait_for
from tests.support.servers import warm_worker, worker_env
from touchline_lab.demo_origin.server import DemoOrigin

pytestmark = pytest.mark.integration
PASSWORD = "hunter2-of-redis"
SIGNATURE = "d41d8cd98f00b204-of-an-address"
USER = "hunter2-of-an-origin"
PROXY = "hunter2-of-a-proxy"
SECRETS = (PASSWORD, SIGNATURE, USER, PROXY)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a Valkey with a password."""
    with EmbeddedValkey() as valkey:
        with redis.Redis.from_url(valkey.url) as client:
            client.config_set("requirepass", PASSWORD)
        yield valkey.url.replace("redis://", f"redis://:{PASSWORD}@")


@pytest.fixture(scope="module")
def environment(server: str, origin: DemoOrigin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = tmp_path_factory.mktemp("state")
    # a proxy that is set and not used has to be named without its password
    proxy = {"HTTPS_PROXY": f"http://operator:{PROXY}@127.0.0.1:9", "LOG_LEVEL": "DEBUG"}
    return worker_env(origin, state) | proxy | {"REDIS_URL": server}


@pytest.fixture(scope="module")
def logged() -> list[str]:
    """Every line of the worker."""
    return []


@pytest.fixture(scope="module")
def worker(server: str, environment: dict[str, str], logged: list[str]) -> Iterator[WorkerProcess]:
    with warm_worker(server, environment, "touchline-secrets", lambda _, line: logged.append(line)) as worker:
        yield worker


def event_text(data: object) -> str:
    """What an event says; Celery's come as kombu packs them."""
    try:
        return base64.b64decode(json.loads(str(data))["body"]).decode()
    except (ValueError, TypeError, KeyError):
        return str(data)


def leaked(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def test_nothing_that_is_shown_holds_a_secret(
    worker: WorkerProcess, server: str, clip_url: str, logged: list[str]
) -> None:
    signed = f"{clip_url}?X-Amz-Signature={SIGNATURE}"
    missing = signed.replace(".mp4", "-missing.mp4")
    unreachable = f"https://127.0.0.1:9/clip.mp4?token={SIGNATURE}"
    with_user = f"https://someone:{USER}@127.0.0.1/clip.mp4"
    with redis.Redis.from_url(server, decode_responses=True) as client:
        events = client.pubsub()
        events.psubscribe("*")

        answer = submit(signed, redis_url=server, deadline_s=60).wait()
        errors = []
        for url in (missing, unreachable, with_user):
            with pytest.raises(ChallengeError) as caught:
                submit(url, redis_url=server, deadline_s=60).wait()
            errors.append(f"{caught.value!r} {json.dumps(caught.value.timeline)}")
        assert wait_for(lambda: client.llen("touchline:recent") >= 3)

        shown = [json.dumps(answer.timeline), answer.body.decode(), *errors, *logged]
        shown += client.lrange("touchline:recent", 0, -1)
        while (event := events.get_message(timeout=0.2)) is not None:
            shown.append(event_text(event["data"]))
    assert len(logged) > 5
    assert [(text, leaked(text)) for text in shown if leaked(text)] == []


@pytest.mark.parametrize(
    "words", [("doctor",), ("pool",), ("submit", f"https://127.0.0.1:9/a?k={SIGNATURE}")]
)
def test_no_command_prints_a_secret(
    worker: WorkerProcess, environment: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    ended = subprocess.run(
        command(*words),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
    )

    printed = ended.stdout + ended.stderr
    assert len(printed) > 20
    assert leaked(printed) == []
