"""Service times out of what a benchmark wrote, or as numbers in a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.errors import SettingsError


def read_times(text: str) -> tuple[float, ...]:
    """Comma-separated seconds.

    Raises:
        SettingsError: One is no positive number.
    """
    try:
        return _checked([float(word) for word in text.split(",") if word.strip()], text)
    except ValueError as error:
        raise SettingsError(f"service times: {error}; comma-separated seconds, as 2.1,2.4,2.2") from error


def read_file(path: Path, point: str | None = None) -> tuple[float, ...]:
    """The service times in `scale.json` or `bench.json`.

    Args:
        path: The file.
        point: A point of `scale.json` (`30 s`, `1080p`, `2 x 4`) or a condition of `bench.json`
            (`seed/cubic`); without it the first that has any.

    Raises:
        SettingsError: It cannot be read or has none; the text says what there is.
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
        raise SettingsError(f"{path}: no {point!r}; there is {', '.join(found)}")
    return found[point]


def _named(data: dict[str, Any]) -> Iterator[tuple[str, tuple[float, ...]]]:
    for point in data.get("points", ()):
        if point["service_s"]:
            yield point["name"], _checked(point["service_s"], point["name"])
    for condition in data.get("conditions", ()):
        # one challenge at a time through the queue: its whole time is the worker's
        rows = condition["rows"].get("ours-celery", ())
        if rows:
            name = f"{condition['link']}/{condition['congestion']}"
            yield name, _checked([row["answer_s"] for row in rows], name)


def _checked(times: list[float], what: str) -> tuple[float, ...]:
    if not times or not all(0 < time < 1e6 for time in times):
        raise SettingsError(f"service times {what!r}: numbers above 0 are wanted, in seconds")
    return tuple(float(time) for time in times)
