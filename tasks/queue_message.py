"""What a message on the queue has to look like: what `tasks.client` sends, or Celery when it sends it again.

Celery trusts the messages that it takes: one with a field of another type ends the worker, and every worker
that takes it next. So each message is checked before Celery sees it.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import uuid
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec

from services.errors import InvalidChallenge
from services.wire.challenge import Challenge, parse_challenge

TASK_NAME: Final = "touchline.answer"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class BadMessage(Exception):
    """A message that no front end of this project sent.

    Args:
        reason: What is wrong with it.
        token: Names the reply, where the message still tells whom it came from.
    """

    def __init__(self, reason: str, token: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.token = token


class Accepted(msgspec.Struct, frozen=True):
    """What a message that may reach Celery says about its challenge.

    Attributes:
        challenge_id: The challenge.
        token: Names the reply that the caller waits for.
        deadline: Seconds since 1970 by Redis's clock.
        submitted_at: The same, when it was submitted.
    """

    challenge_id: str
    token: str
    deadline: float
    submitted_at: float


class _Headers(msgspec.Struct):
    task: Literal["touchline.answer"]
    id: Name
    root_id: str | None = None
    parent_id: str | None = None
    lang: str = "py"
    shadow: str | None = None
    origin: str | None = None
    # a message that is to wait, or to be dropped, by Celery's clock: deadlines are ours
    eta: None = None
    expires: None = None
    group: None = None
    group_index: None = None
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    timelimit: tuple[None, None] = (None, None)
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    ignore_result: bool = True
    replaced_task_nesting: Annotated[int, msgspec.Meta(ge=0, le=0)] = 0
    stamped_headers: None = None
    stamps: Annotated[dict[str, Any], msgspec.Meta(max_length=0)] | None = None
    # it would be undone before anything bounds how much comes out
    compression: None = None
    # the W3C's name of the trace that the challenge belongs to
    traceparent: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class _DeliveryInfo(msgspec.Struct):
    routing_key: Name
    exchange: Literal[""] = ""


class _Properties(msgspec.Struct):
    delivery_tag: Name
    delivery_info: _DeliveryInfo
    body_encoding: Literal["base64"]
    correlation_id: str | None = None
    reply_to: str | None = None
    delivery_mode: Literal[1, 2] = 2
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0


class _Message(
    msgspec.Struct, rename={"content_type": "content-type", "content_encoding": "content-encoding"}
):
    body: str
    headers: _Headers
    properties: _Properties
    content_type: Literal["application/json"]
    content_encoding: Literal["utf-8"]


class _Embedded(msgspec.Struct, forbid_unknown_fields=True):
    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


_Arguments = tuple[msgspec.Raw, Name]
_KeywordArguments = Annotated[dict[str, Any], msgspec.Meta(max_length=0)]
_Body = tuple[_Arguments, _KeywordArguments, _Embedded]

_message = msgspec.json.Decoder(_Message)
_body = msgspec.json.Decoder(_Body)


def check_message(data: bytes) -> Accepted:
    """Check a message as it came out of Redis.

    Returns:
        Whose challenge it is.

    Raises:
        BadMessage: It must not reach Celery.
    """
    token = None
    try:
        message = _message.decode(data)
        arguments, _, _ = _body.decode(base64.b64decode(message.body, validate=True))
        challenge, token = arguments
        checked = parse_challenge(bytes(challenge))
        return Accepted(checked.challenge_id, token, checked.deadline, checked.submitted_at)
    except (
        msgspec.MsgspecError,
        InvalidChallenge,
        binascii.Error,
        UnicodeError,
        RecursionError,
        ValueError,
    ) as error:
        raise BadMessage(f"{type(error).__name__}: {error}"[:500], token) from error


def encode_message(challenge: Challenge, token: str, queue: str, traceparent: str | None = None) -> bytes:
    """A challenge as a message of Celery's protocol, as kombu puts it on a Redis list.

    Source: Celery's documentation, "Message Protocol", version 2.

    Args:
        challenge: With its times by Redis's clock.
        token: Names the reply; also the task's id.
        queue: The queue.
        traceparent: The trace that it belongs to.
    """
    body = msgspec.json.encode(([challenge, token], {}, _Embedded()))
    # what Flower is shown: no address, which may hold a signature
    shown = f"[{{'challenge_id': {challenge.challenge_id!r}, 'kind': {challenge.kind!r}}}]"
    headers = _Headers(
        task=TASK_NAME,
        id=token,
        root_id=token,
        origin=_origin(),
        argsrepr=shown,
        traceparent=traceparent,
    )
    tag = uuid.uuid4().hex
    properties = _Properties(tag, _DeliveryInfo(queue), "base64", correlation_id=token)
    text = base64.b64encode(body).decode()
    return msgspec.json.encode(_Message(text, headers, properties, "application/json", "utf-8"))


@lru_cache(maxsize=1)
def _origin() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"
