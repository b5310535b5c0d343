"""Log lines: one form for everything, with the challenge that they belong to."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from services.monitoring import logs

pytest.importorskip("structlog")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a logger of this test writes, as JSON."""

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    found: list[str] = []
    logger, handler = logging.getLogger("touchline.test"), Keep()
    handler.setFormatter(logs.formatter("json"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)


def test_a_line_of_any_library_is_one_object_with_the_challenge(lines: list[str]) -> None:
    log = logging.getLogger("touchline.test")
    with logs.log_challenge("c-1"):
        # a thread of the download or of the decoder belongs to the challenge as well
        thread = threading.Thread(target=log.warning, args=("%s accepts %d connections", "host", 3))
        thread.start()
        thread.join()
    log.info("afterwards")
    first, second = (json.loads(line) for line in lines)
    assert first["event"] == "host accepts 3 connections"
    assert (first["challenge_id"], first["level"], first["logger"]) == ("c-1", "warning", "touchline.test")
    assert "challenge_id" not in second


def test_fields_and_exceptions_stay_in_the_line(lines: list[str]) -> None:
    log = logging.getLogger("touchline.test")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed", extra={"fields": {"total_ms": 12}})
    (line,) = lines
    assert "\n" not in line
    assert json.loads(line)["total_ms"] == 12
    assert "ValueError: no" in json.loads(line)["exception"]


def test_the_console_form_is_for_readers() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "challenge %s", ("complete",), None)
    record.fields = {"total_ms": 12}
    text = logs.formatter("console").format(record)
    assert "challenge complete" in text
    assert "total_ms=12" in text
