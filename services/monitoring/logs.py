"""Log lines: one form for this project, Celery and other libraries, each with the challenge it belongs to."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from services.monitoring.redaction import redact

QUIET: Final = ("httpx", "celery.worker.strategy", "celery.app.trace")
"""Loggers that say in lines of their own what the summary line of a challenge says; their warnings count."""


class _Current:
    """The challenge that this process works on; one at a time, with all of its threads."""

    challenge_id = ""


@contextmanager
def log_challenge(challenge_id: str) -> Iterator[None]:
    """Put a challenge's id on every line of this process, of whichever thread, for the body of a `with`."""
    _Current.challenge_id = challenge_id
    try:
        yield
    finally:
        _Current.challenge_id = ""


def set_up_logging(level: int | str, form: Literal["console", "json"]) -> None:
    """Write all log lines to standard error in one form.

    Args:
        level: Minimum level.
        form: `json`: one JSON object a line, `console`: for readers.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form, colours=sys.stderr.isatty()))
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def formatter(form: Literal["console", "json"], *, colours: bool = False) -> logging.Formatter:
    """What turns a record of the standard library's logging into a line.

    A mapping that is passed as `extra={"fields": {...}}` becomes fields of the line.
    """
    try:
        import structlog
    except ImportError:
        # a worker that was installed without its extra logs all the same
        return _Plain("%(asctime)s %(levelname)s %(name)s: %(message)s")

    renderer: Any = structlog.processors.JSONRenderer(default=str)
    last: list[Any] = [structlog.processors.format_exc_info, renderer]
    if form == "console":
        last = [structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0)]
    made: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _add_fields,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _redact],
    )
    return made


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _redact(_logger: Any, _method: str, line: str) -> str:
    return redact(line)


def _add_fields(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    if _Current.challenge_id:
        event["challenge_id"] = _Current.challenge_id
    event.update(getattr(event.get("_record"), "fields", {}))
    return event
