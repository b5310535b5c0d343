"""Answered challenges kept as files for `touchline replay`; of too many the oldest are removed."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from typing import Any

import msgspec

from services.files import complete_or_absent

log = logging.getLogger(__name__)


class Recorder:
    """Writes one JSON file for each challenge.

    Args:
        folder: Where they lie.
        max_bytes: What they may take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def record(self, kind: str, request: dict[str, Any], answer: bytes) -> None:
        """Keep a challenge; a folder that cannot be written to costs the record and not the answer.

        Args:
            kind: The challenge kind.
            request: `challenge_id` and the addresses of the challenge.
            answer: The encoded answer, as it was sent.
        """
        stored = {"kind": kind, **request, "recorded_at": time.time(), "answer": msgspec.Raw(answer)}
        name = re.sub(r"[^\w.-]", "_", str(request["challenge_id"]))[:100]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with complete_or_absent(self._folder / f"{time.time_ns():020d}-{name}.json") as file:
                file.write_bytes(msgspec.json.encode(stored))
            self._prune()
        except OSError as error:
            log.warning("challenge %s could not be recorded: %s", request["challenge_id"], error)

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.json"), reverse=True)
        kept = 0
        for file in files:
            kept += file.stat().st_size
            if kept > self._max_bytes:
                file.unlink(missing_ok=True)
