"""Reads service times: from a file that a benchmark wrote, or from text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.errors import SettingsError


def read_times(text: str) -> tuple[float, ...]:
    """Read comma-separated seconds.

    Raises:
        SettingsError: One of them is not a positive number.
    """
    try:
        return _checked([float(word) for word in text.split(",") if word.strip()], text)
    except ValueError as error:
        raise SettingsError(
            f"service times: {error}; use comma-separated seconds, such as 2.1,2.4,2.2"
        ) from error


def read_file(path: Path, point: str | None = None) -> tuple[float, ...]:
    """Read the service times in `scale.json` or `bench.json`.

    Args:
        path: The file.
        point: A point of `scale.json` (`30 s`, `1080p`, `2 x 4`) or a condition of `bench.json`
            (`seed/cubic`); by default the first one that has service times.

    Raises:
        SettingsError: The file cannot be read or has no such point; the message names those that it has.
    """
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    found = dict(_named(data)) if isinstance(data, dict) else {}
    if not found:
        raise SettingsError(f"{path}: no service times; `touchline bench --scale` writes them to scale.json")
    if point is None:
        return next(iter(found.values()))
    if point not in found:
        raise SettingsError(f"{path}: no {point!r}; it has {', '.join(found)}")
    return found[point]


def _named(data: dict[str, Any]) -> Iterator[tuple[str, tuple[float, ...]]]:
    for point in data.get("points", ()):
        if point["service_s"]:
            yield point["name"], _checked(point["service_s"], point["name"])
    for condition in data.get("conditions", ()):
        # these challenges come one at a time, so none waits and the whole time is service time
        rows = condition["rows"].get("touchline-celery", ())
        if rows:
            name = f"{condition['link']}/{condition['congestion']}"
            yield name, _checked([row["answer_s"] for row in rows], name)


def _checked(times: list[float], what: str) -> tuple[float, ...]:
    if not times or not all(0 < time < 1e6 for time in times):
        raise SettingsError(f"service times {what!r}: they have to be seconds greater than 0")
    return tuple(float(time) for time in times)
