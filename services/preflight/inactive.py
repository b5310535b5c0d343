"""The public list of inactive miners: rows of hotkey, element id and the block of the commitment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx

from services.errors import ChainUnreadable

PUBLISHED: Final = "https://turbo.scoredata.me/manako/inactive_miners.json"
"""Where validators read it (score-technologies/turbovision, scorevision/utils/inactive_miners.py)."""
TIMEOUT_S: Final = 10.0
"""Seconds that its server gets to answer."""


def read_inactive(where: str) -> list[Any]:
    """Read the list.

    Args:
        where: A URL or a file.

    Raises:
        ChainUnreadable: It cannot be read, or is not a list.
    """
    try:
        if where.startswith(("https://", "http://")):
            given = httpx.get(where, timeout=TIMEOUT_S, follow_redirects=True).raise_for_status()
            content = given.content
        else:
            content = Path(where).read_bytes()
        rows = json.loads(content)
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise ChainUnreadable(f"{where} cannot be read: {error or type(error).__name__}") from error
    if not isinstance(rows, list):
        raise ChainUnreadable(f"{where} is not a list")
    return rows
