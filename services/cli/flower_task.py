"""How a challenge looks in Flower's task table: the stage times instead of a dict's text."""

from __future__ import annotations

import ast
from typing import Any

_FIRST = "total_ms"
_SKIPPED = ("protocol",)


def stage_text(result: str) -> str:
    """Make the text of a stage dict readable.

    Args:
        result: A result as Celery's events carry it: a Python literal as text, possibly cut off.

    Returns:
        Such as `1234 ms · queue 3 · connect 0 · decode 700 | 750 frames`; other texts as they are.
    """
    try:
        found = ast.literal_eval(result)
    except (ValueError, SyntaxError):
        return result
    if not isinstance(found, dict):
        return result
    if "error" in found:
        return f"{found['error']} in {found.get('stage', '?')}"
    if _FIRST not in found:
        return result
    times = [
        f"{name.removesuffix('_ms')} {value:.0f}"
        for name, value in found.items()
        if name.endswith("_ms") and name != _FIRST
    ]
    return " · ".join([f"{found[_FIRST]:.0f} ms", *times]) + _facts(found)


def _facts(found: dict[str, Any]) -> str:
    facts = {k: v for k, v in found.items() if not k.endswith("_ms") and k not in _SKIPPED}
    words = [f"{facts.pop('frames')} frames"] if "frames" in facts else []
    words += [name for name, value in facts.items() if value is True]
    words += [f"{name} {value}" for name, value in facts.items() if not isinstance(value, bool)]
    return f" | {', '.join(words)}" if words else ""


def format_task(task: Any) -> Any:
    """Flower's hook: gets a copy of a task and gives it back as it is to be shown."""
    if task.result:
        task.result = stage_text(str(task.result))
    elif task.exception:
        # the one column shows what came out, whichever way it ended
        task.result = str(task.exception)
    return task
