"""Downloading in a test: settings for an origin of the loopback, and a running download."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

from services.cancellation import CancelScope
from services.deadline import Deadline
from services.download.download import Download
from services.download.pool import ConnectionPool
from services.settings import Settings, load_settings
from services.timeline import Timeline

PATIENT_S = 20.0
"""Seconds that no machine stalls for: a test that waits for a silence to be noticed sets less."""


class Origin(Protocol):
    """An origin with a certificate of its own."""

    @property
    def ca_file(self) -> object:
        """The authority that signed it."""


def loopback_settings(origin: Origin, **overrides: object) -> Settings:
    """Settings under which that origin is trusted and fetched from; one connection unless said otherwise."""
    values: dict[str, Any] = {"ca_file": str(origin.ca_file), "allow_private_addresses": True}
    values |= {"connect_timeout_s": PATIENT_S, "stall_timeout_s": PATIENT_S, "reuse_probe_s": PATIENT_S}
    return load_settings(**(values | {"range_connections": 0} | overrides))


class RunningDownload:
    """A download that has begun; a context manager that ends it and demands that no thread is left."""

    def __init__(
        self,
        pool: ConnectionPool,
        url: str,
        settings: Settings,
        seconds: float = 60.0,
        *,
        sparse: bool = False,
    ) -> None:
        self.scope = CancelScope()
        self.timeline = Timeline()
        self.deadline = Deadline.after(seconds)
        self._download = Download(
            pool, url, settings, self.deadline, self.scope, self.timeline, sparse=sparse
        )
        self.restrict_to = self._download.restrict_to
        self.stream = self._download.start()

    @property
    def ended(self) -> bool:
        """Whether its thread has ended."""
        return self._download.join(0)

    def body(self) -> bytes:
        """The whole body."""
        self.stream.wait_complete()
        return self.stream.read_at(0, self.stream.size or 0)

    def fact(self, name: str) -> Any:
        """A fact of the timeline; None when it was not noted."""
        return self.timeline.to_dict()["facts"].get(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scope.cancel()
        assert self._download.join(30), "a download thread was left behind"


def fetch(pool: ConnectionPool, url: str, settings: Settings, seconds: float = 60.0) -> bytes:
    """The whole body of a URL."""
    with RunningDownload(pool, url, settings, seconds) as running:
        return running.body()
