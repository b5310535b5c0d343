"""The keep-warm thread: keeps connections and devices warm between challenges, which come about hourly."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from services.download.pool import ConnectionPool
from services.errors import TransportError

MAX_FAILURES: Final = 3
"""Touches in a row that fail, after which an origin that no setting names is not touched any more."""

log = logging.getLogger(__name__)


class KeepWarm:
    """Touches each origin, and the device, before they become cold; never while a challenge is answered.

    Args:
        pool: The pool whose connections are kept warm, also those to origins of the latest challenges.
        origins: URLs kept warm from the start.
        interval_s: Seconds between two rounds; shorter than the shortest idle time-out on the way.
        busy: Whether a challenge is being answered; the round is skipped then.
        also: Called in each round, for instance to run a dummy batch on the device.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        origins: Sequence[str],
        interval_s: float,
        busy: Callable[[], bool],
        also: Callable[[], None] | None = None,
    ) -> None:
        self._pool = pool
        self._origins = tuple(origins)
        self._interval_s = interval_s
        self._busy = busy
        self._also = also
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="touchline-keep-warm", daemon=True)
        self._failures: dict[str, int] = {}

    def start(self) -> None:
        """Begin with a first round at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for a round under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def touch_all(self) -> dict[str, str | None]:
        """One round over all origins: each with None, or with why it could not be reached."""
        result: dict[str, str | None] = {}
        for url in dict.fromkeys((*self._origins, *self._pool.origins())):
            if self._busy():
                break
            try:
                self._pool.refresh_dns(url)
                self._pool.warmup(url)
                result[url] = None
            except TransportError as error:
                result[url] = str(error)
        self._note_changes(result)
        return result

    def _note_changes(self, result: dict[str, str | None]) -> None:
        """One line when an origin is lost or comes back; what only a challenge named is forgotten."""
        for url, problem in result.items():
            failures = self._failures.pop(url, 0)
            if problem is None:
                if failures:
                    log.info("%s is warm again", url)
                continue
            if not failures:
                log.warning("%s cannot be kept warm: %s", url, problem)
            if failures + 1 >= MAX_FAILURES and url not in self._origins:
                self._pool.forget(url)
            else:
                self._failures[url] = failures + 1

    def _run(self) -> None:
        while True:
            if not self._busy():
                self.touch_all()
                self._touch_device()
            if self._stop.wait(self._interval_s):
                return

    def _touch_device(self) -> None:
        if self._also is None or self._busy():
            return
        try:
            self._also()
        except Exception as error:  # noqa: BLE001 - the next challenge meets it, too, and is answered with it
            log.error("keeping the device warm failed: %s", error)
