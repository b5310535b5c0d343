"""The message that is written by hand is the one that Celery would send."""

from __future__ import annotations

import json

import msgspec
import redis

from services.processes.embedded_valkey import EmbeddedValkey
from services.settings import load_settings
from services.wire.challenge import Challenge
from tasks.celery_app import make_app
from tasks.queue_message import TASK_NAME, check_message, encode_message

URL = "https://host/a.mp4?sig=secret"
CHALLENGE = Challenge(challenge_id="c-1", deadline=20.0, submitted_at=1.0, video_url=URL)


def test_it_is_accepted_and_shows_no_address() -> None:
    data = encode_message(CHALLENGE, "token", "touchline")
    accepted = check_message(data)
    assert (accepted.challenge_id, accepted.token, accepted.deadline) == ("c-1", "token", 20.0)
    assert "secret" not in json.dumps(json.loads(data)["headers"])


def test_it_has_the_fields_of_celerys_own() -> None:
    with (
        EmbeddedValkey() as server,
        make_app(load_settings(redis_url=server.url)) as app,
        redis.Redis.from_url(server.url) as connection,
    ):
        arguments = [msgspec.to_builtins(CHALLENGE), "token"]
        app.send_task(TASK_NAME, args=arguments, task_id="token", queue="touchline", ignore_result=True)
        (message,) = connection.lrange("touchline", 0, -1)
        theirs = json.loads(message)
    ours = json.loads(encode_message(CHALLENGE, "token", "touchline"))
    assert ours.keys() == theirs.keys()
    assert ours["properties"].keys() == theirs["properties"].keys()
    free = ("origin", "argsrepr", "kwargsrepr", "stamps", "compression", "traceparent")
    assert {name: value for name, value in ours["headers"].items() if name not in free} == {
        name: value for name, value in theirs["headers"].items() if name not in free
    }
