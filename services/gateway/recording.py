"""Answered challenges kept as files for `touchline replay`; of too many the oldest are removed."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from services.files import complete_or_absent

log = logging.getLogger(__name__)

_OWN: Final = re.compile(r"\d{20}-.*\.json")
"""The names of records: only these are ever removed."""


class Recorder:
    """Writes one JSON file for each challenge, one after the other and behind the answer.

    Args:
        folder: Where they lie.
        max_bytes: What they may take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, kind: str, request: dict[str, Any], answer: bytes) -> None:
        """Keep a challenge, without waiting for it; the arguments are those of `record`."""
        task = asyncio.create_task(self._record(kind, request, answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Wait for what has begun."""
        await asyncio.gather(*self._running)

    async def _record(self, kind: str, request: dict[str, Any], answer: bytes) -> None:
        async with self._turn:
            await asyncio.to_thread(self.record, kind, request, answer)

    def record(self, kind: str, request: dict[str, Any], answer: bytes) -> None:
        """Keep a challenge; a folder that cannot be written to costs the record and not the answer.

        Args:
            kind: The challenge kind.
            request: `challenge_id`, and the addresses or pictures of the challenge.
            answer: The encoded answer, as it was sent.
        """
        stored = {"kind": kind, **request, "recorded_at": time.time(), "answer": msgspec.Raw(answer)}
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", str(request["challenge_id"]))[:100]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with complete_or_absent(self._folder / f"{time.time_ns():020d}-{name}.json") as file:
                file.write_bytes(msgspec.json.encode(stored))
            self._prune()
        except OSError as error:
            log.warning("challenge %s could not be recorded: %s", request["challenge_id"], error)

    def _prune(self) -> None:
        files = [file for file in self._folder.iterdir() if _OWN.fullmatch(file.name)]
        kept = 0
        for file in sorted(files, reverse=True):
            kept += file.stat().st_size
            if kept > self._max_bytes:
                file.unlink(missing_ok=True)
