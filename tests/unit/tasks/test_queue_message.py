"""What the queue may hold: a message of `tasks.client` passes, everything else is named with its reason."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tasks.queue_message import TASK_NAME, BadMessage, check_message

CHALLENGE = {"challenge_id": "7", "deadline": 2e9, "submitted_at": 1e9, "video_url": "https://host/clip.mp4"}
EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def message(*, headers: Any = None, properties: Any = None, **changed: Any) -> dict[str, Any]:
    """A message as Celery sends it, with some fields changed."""
    whole = {
        "body": encoded([[CHALLENGE, "token"], {}, EMBEDDED]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "task": TASK_NAME,
            "id": "token",
            "root_id": "token",
            "retries": 0,
            "timelimit": [None, None],
            "ignore_result": True,
        }
        | (headers or {}),
        "properties": {
            "delivery_tag": "tag",
            "delivery_info": {"exchange": "", "routing_key": "touchline"},
            "body_encoding": "base64",
            "priority": 0,
        }
        | (properties or {}),
    }
    return whole | changed


def test_a_message_of_the_client_passes() -> None:
    check_message(json.dumps(message()).encode())


def test_a_message_that_celery_delivers_again_passes() -> None:
    check_message(json.dumps(message(headers={"retries": 1}, redelivered=True)).encode())


GARBAGE: dict[str, Any] = {
    "no object": 5,
    "an empty object": {},
    "properties that are a list": message() | {"properties": []},
    "no delivery tag": message(properties={"delivery_tag": None}),
    "a delivery tag that is a list": message(properties={"delivery_tag": [1]}),
    "a priority that is text": message(properties={"priority": "x"}),
    "an unknown body encoding": message(properties={"body_encoding": "rot13"}),
    "another content type": message(**{"content-type": "application/x-python-serialize"}),
    "headers that are null": message() | {"headers": None},
    "another task": message(headers={"task": "other"}),
    "an id that is an object": message(headers={"id": {}}),
    "a time limit of text": message(headers={"timelimit": ["a", "b"]}),
    "a start in the future": message(headers={"eta": "9999-12-31T23:59:59+00:00"}),
    "an expiry": message(headers={"expires": 1e300}),
    "stamps": message(headers={"stamped_headers": 5}),
    "compression": message(headers={"compression": "application/x-gzip"}),
    "a body that is no base64": message(body="%%%"),
    "a body that is an object": message(body=encoded({"a": 1})),
    "a body of two parts": message(body=encoded([[CHALLENGE, "t"], {}])),
    "no arguments": message(body=encoded([[], {}, EMBEDDED])),
    "a token that is a number": message(body=encoded([[CHALLENGE, 5], {}, EMBEDDED])),
    "callbacks": message(body=encoded([[CHALLENGE, "t"], {}, EMBEDDED | {"callbacks": [5]}])),
    "a chain": message(body=encoded([[CHALLENGE, "t"], {}, EMBEDDED | {"chain": ["x"]}])),
}


@pytest.mark.parametrize("found", GARBAGE.values(), ids=GARBAGE.keys())
def test_everything_else_is_refused(found: Any) -> None:
    with pytest.raises(BadMessage):
        check_message(json.dumps(found).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"\xff\xfe{}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        json.dumps(message(body=base64.b64encode(b"[" * 100_000 + b"]" * 100_000).decode())).encode(),
        json.dumps(message(headers={"id": "\ud800"})).encode(),
    ],
    ids=["nothing", "no JSON", "no UTF-8", "a deep message", "a deep body", "half a surrogate pair"],
)
def test_bytes_that_no_parser_likes_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        check_message(data)


def test_the_caller_is_known_where_the_message_still_names_it() -> None:
    body = encoded([[{"challenge_id": 5}, "its token"], {}, EMBEDDED])
    with pytest.raises(BadMessage, match="challenge_id") as caught:
        check_message(json.dumps(message(body=body)).encode())
    assert caught.value.token == "its token"
