"""How a challenge looks in Flower's task table: the stage times instead of a dict's text."""

from __future__ import annotations

import ast
from typing import Any

_TOTAL = "total_ms"
_FIRST = {
    "queue_ms": "q",
    "connect_ms": "conn",
    "download_ms": "load",
    "decode_ms": "dec",
    "inference_ms": "inf",
    "fill_ms": "fill",
}
"""Flower cuts a result off after about 50 characters (the cell scrolls), so these come first, in short."""
_SKIPPED = ("protocol",)


def stage_text(result: str) -> str:
    """Make the text of a stage dict readable.

    Args:
        result: A result as Celery's events carry it: a Python literal as text, possibly cut off.

    Returns:
        Such as `q 3, conn 0, load 300, dec 700, inf 1200, fill 20 ms | first_byte 9 | total 1500 ms, 750
        frames`; other texts as they are.
    """
    try:
        found = ast.literal_eval(result)
    except (ValueError, SyntaxError):
        return result
    if not isinstance(found, dict):
        return result
    if "error" in found:
        return f"{found['error']} in {found.get('stage', '?')}"
    if _TOTAL not in found:
        return result
    times = {name: value for name, value in found.items() if name.endswith("_ms") and name != _TOTAL}
    first = [f"{short} {times.pop(name):.0f}" for name, short in _FIRST.items() if name in times]
    others = [f"{name.removesuffix('_ms')} {value:.0f}" for name, value in times.items()]
    facts = [f"total {found[_TOTAL]:.0f} ms", *_facts(found)]
    groups = [f"{', '.join(first)} ms" if first else "", ", ".join(others), ", ".join(facts)]
    return " | ".join(group for group in groups if group)


def _facts(found: dict[str, Any]) -> list[str]:
    facts = {k: v for k, v in found.items() if not k.endswith("_ms") and k not in _SKIPPED}
    words = [f"{facts.pop('frames')} frames"] if "frames" in facts else []
    words += [name for name, value in facts.items() if value is True]
    return words + [f"{name} {value}" for name, value in facts.items() if not isinstance(value, bool)]


def format_task(task: Any) -> Any:
    """Flower's hook: gets a copy of a task and gives it back as it is to be shown."""
    if task.result:
        task.result = stage_text(str(task.result))
    elif task.exception:
        # the one column shows what came out, however it ended
        task.result = str(task.exception)
    return task
