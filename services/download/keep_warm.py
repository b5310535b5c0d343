"""The thread that keeps a process warm between challenges, which come about once an hour."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from services.download.pool import ConnectionPool
from services.errors import TransportError

log = logging.getLogger(__name__)


class KeepWarm:
    """Touches origins, and whatever else is given, before they fall asleep; never beside a challenge.

    Args:
        pool: The pool whose connections are kept; origins that challenges used are kept too.
        origins: URLs kept warm from the start.
        interval_s: Seconds between two rounds; shorter than the shortest idle time-out on the way.
        busy: Whether a challenge is being worked on; the round is left out then.
        also: Called each round besides, for instance a dummy batch on the device.
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
        self.rounds = 0

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
                log.warning("keep-warm of %s failed: %s", url, error)
                result[url] = str(error)
        return result

    def _run(self) -> None:
        while True:
            if not self._busy():
                self.touch_all()
                if self._also is not None and not self._busy():
                    self._also()
                self.rounds += 1
            if self._stop.wait(self._interval_s):
                return
