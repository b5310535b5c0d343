"""How a challenge looks in Flower: its id, kind and stages in the table, its whole timeline on its page."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

from services.monitoring.waterfall import waterfall

SHORT: Final = {
    "queue_ms": "q",
    "connect_ms": "conn",
    "first_frame_ms": "first",
    "decode_ms": "dec",
    "inference_ms": "inf",
    "total_ms": "total",
}
"""The stages of the table, in short: Flower cuts cells of more than some fifty characters off."""
COLUMNS: Final = {"args": "Challenge", "kwargs": f"{' / '.join(SHORT.values())} ms", "uuid": "Task"}
"""What the columns of Flower's table are called here; it knows no others."""
MAX_ID: Final = 14
"""Characters of a challenge's id in the table; of a longer one the beginning and the end are shown."""
_CHALLENGE_ID: Final = re.compile(r"""['"]challenge_id['"]: ['"]([^'"]*)['"]""")
_KIND: Final = re.compile(r"""['"]kind['"]: ['"](\w+)['"]""")
_ERROR: Final = re.compile(r"(\w+)\((.*), stage='(\w+)'\)", re.DOTALL)


def read_summary(result: object) -> dict[str, Any] | None:
    """The summary that a worker reported; None for anything else.

    Args:
        result: As Celery's events carry it: a Python literal as text, possibly cut off.
    """
    try:
        found = ast.literal_eval(str(result))
    except (ValueError, SyntaxError):
        return None
    return found if isinstance(found, dict) and "total_ms" in found else None


def stage_text(summary: dict[str, Any]) -> str:
    """One short line, such as `3 / 0 / 66 / 449 / 396 / 668`: the stages of `SHORT` in ms."""
    if summary.get("result") in ("joined", "answered"):
        return str(summary["result"])
    values = [f"{summary[name]:.0f}" if name in summary else "-" for name in SHORT]
    return " / ".join(values) + (", partial" if summary.get("result") == "partial" else "")


def details(summary: dict[str, Any]) -> str:
    """All that a worker reported, in lines: the waterfall of the timeline, then facts."""
    timeline = summary.get("timeline")
    facts = [f"{name}: {value}" for name, value in summary.items() if name != "timeline" and value != ""]
    if not isinstance(timeline, str):
        return "\n".join([*facts, "an older worker sent no timeline"])
    return "\n".join([*waterfall(json.loads(timeline)), "", *facts])


def format_task(task: Any) -> Any:
    """Flower's hook: gets a copy of a task and gives it back as it is to be shown."""
    sent = str(task.args or "")
    found = _CHALLENGE_ID.search(sent)
    kind = _KIND.search(sent)
    if found is None:
        return task  # not a challenge
    summary = read_summary(task.result) if task.result else None
    # Celery cuts long arguments off, and the kind stands behind the URL
    name = summary.get("kind") if summary is not None else (kind[1] if kind else None)
    task.args = f"{short_id(found[1])} ({name})" if name else short_id(found[1])
    task.kwargs = ""
    if summary is not None:
        task.kwargs, task.result = stage_text(summary), details(summary)
    elif task.exception:
        task.kwargs, task.result = error_text(str(task.exception)), str(task.exception)
    return task


def error_text(exception: str) -> str:
    """Type and stage of an error; its message is on the page of the task."""
    found = _ERROR.fullmatch(exception)
    return f"{found[1]} in {found[3]}" if found else exception


def short_id(challenge_id: str) -> str:
    """An id that fits the table."""
    if len(challenge_id) <= MAX_ID:
        return challenge_id
    return f"{challenge_id[: MAX_ID // 2]}…{challenge_id[-(MAX_ID // 2 - 1) :]}"
