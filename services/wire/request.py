"""Decoding of what validators post: strangers' bytes, which may be anything."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from services.errors import InvalidChallenge

Request = TypeVar("Request")


def decode_request(body: bytes, kind: type[Request], what: str) -> Request:
    """Decode a request.

    Args:
        body: JSON.
        kind: The structure that it has to have.
        what: Its name, for the error.

    Raises:
        InvalidChallenge: It is not valid JSON, too deeply nested, or of another structure.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidChallenge(f"not a {what}: {error}") from error
    except RecursionError as error:
        raise InvalidChallenge(f"not a {what}: nested too deeply") from error
