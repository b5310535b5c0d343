"""The rows of Flower's task table, as its page asks for them."""

from __future__ import annotations

from typing import Any, Final

import httpx

ROWS: Final = 10
"""Rows that are asked for, the latest first."""
_QUERY: Final[dict[str, str | int]] = {
    "draw": 1,
    "start": 0,
    "length": ROWS,
    "search[value]": "",
    "order[0][column]": 0,
    "columns[0][data]": "received",
    "order[0][dir]": "desc",
}


def task_rows(client: httpx.Client) -> list[dict[str, Any]]:
    """The latest rows.

    Args:
        client: Has Flower's address, and its password if it asks for one.
    """
    response = client.get("/tasks/datatable", params=_QUERY)
    response.raise_for_status()
    return list(response.json()["data"])
